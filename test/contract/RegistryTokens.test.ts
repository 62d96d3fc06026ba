import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, References, type Scope } from "effect"
import { createPrivateKey, randomUUID, X509Certificate } from "node:crypto"
import { SignJWT } from "jose"
import * as OciRegistry from "#layers/registry/OciRegistry"
import * as CertificateAuthority from "#layers/x509/CertificateAuthority"
import { Registry } from "#services/Registry"
import * as DockerRegistry from "#test/support/DockerRegistry"
import { needs } from "#test/support/Engines"
import { image, push, reference } from "#test/support/SampleImages"
import * as WaywardServer from "#test/support/WaywardServer"

type Settings = NonNullable<Parameters<typeof OciRegistry.layer>[0]>

const sample = image("guarded")

/** What a token service answers; by default a new token for every request, good for a minute. */
type Issue = (count: number) => { readonly status?: number; readonly body: string }

const issueNew: Issue = (count) => ({ body: JSON.stringify({ token: `t${count}`, expires_in: 60 }) })

/** A registry that lets in whoever brings a token that is good, and where such are to be had. */
const guarded = Effect.fnUntraced(function* (issue: Issue, isGood: (token: string) => boolean) {
  const tokens = yield* WaywardServer.make((_, response) => {
    const { body, status = 200 } = issue(tokens.asked.length)
    response.writeHead(status).end(body)
  })
  const registry = yield* WaywardServer.make(({ headers, path }, response) => {
    const [, repository = ""] = /^\/v2\/(.*)\/manifests\//.exec(path) ?? []
    if (isGood(headers.authorization?.replace("Bearer ", "") ?? "")) {
      return response.writeHead(200, { "content-type": sample.manifest.mediaType }).end(sample.manifest.bytes)
    }
    const challenge = `Bearer realm="http://${tokens.host}/token",service="here",scope="repository:${repository}:pull"`
    return response.writeHead(401, { "www-authenticate": challenge }).end()
  })
  return { tokens, registry }
})

const manifest = (host: string, repository: string) =>
  Effect.flatMap(Registry, (registry) => registry.manifest(reference(`${host}/${repository}:1`)))

const client = (hosts: ReadonlyArray<string>, settings: Partial<Settings> = {}) =>
  Layer.merge(
    OciRegistry.layer({ insecureHosts: new Set(hosts), retryDelayMs: 5, retryLimit: 1, ...settings }),
    Layer.succeed(References.MinimumLogLevel, "Error")
  )

const test = (title: string, body: () => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(title, () => Effect.scoped(Effect.suspend(body)))

describe("A registry that wants tokens", () => {
  test("gets one for each repository, and the same again for as long as it is good", () =>
    Effect.gen(function* () {
      const { registry, tokens } = yield* guarded(issueNew, (token) => token !== "")
      const credentials = new Map([[registry.host, { username: "user", password: Redacted.make("pass:word") }]])
      yield* Effect.gen(function* () {
        for (let n = 0; n < 3; n++) yield* manifest(registry.host, "a/one")
        yield* manifest(registry.host, "two")
      }).pipe(Effect.provide(client([registry.host, tokens.host], { credentials })))
      assert.deepStrictEqual(
        tokens.asked.map(({ headers, path }) => [path, headers.authorization]),
        ["a%2Fone", "two"].map((name) => [
          `/token?service=here&scope=repository%3A${name}%3Apull`,
          `Basic ${btoa("user:pass:word")}`
        ])
      )
      assert.deepStrictEqual(
        registry.asked.map(({ headers }) => headers.authorization),
        [undefined, "Bearer t1", "Bearer t1", "Bearer t1", undefined, "Bearer t2"],
        "the password goes to the token service alone"
      )
    }))

  test("is asked without a name when none is known for it", () =>
    Effect.gen(function* () {
      const { registry, tokens } = yield* guarded(
        () => ({ body: JSON.stringify({ access_token: "anonymous" }) }),
        (token) => token === "anonymous"
      )
      const credentials = new Map([["other.example", { username: "user", password: Redacted.make("word") }]])
      yield* manifest(registry.host, "a").pipe(Effect.provide(client([registry.host, tokens.host], { credentials })))
      assert.isUndefined(tokens.asked[0]?.headers.authorization)
    }))

  test("gets a new token when the old one has ended, and when it is refused before", () =>
    Effect.gen(function* () {
      let revoked = ""
      const { registry, tokens } = yield* guarded(
        (count) => ({ body: JSON.stringify({ token: `t${count}`, expires_in: count === 1 ? 0.2 : 60 }) }),
        (token) => token !== "" && token !== revoked
      )
      yield* Effect.gen(function* () {
        yield* manifest(registry.host, "a")
        yield* manifest(registry.host, "a")
        assert.strictEqual(tokens.asked.length, 1)
        yield* Effect.sleep(250)
        yield* manifest(registry.host, "a")
        assert.strictEqual(tokens.asked.length, 2)
        revoked = "t2"
        yield* manifest(registry.host, "a")
        assert.strictEqual(tokens.asked.length, 3)
        assert.strictEqual(registry.asked.at(-1)?.headers.authorization, "Bearer t3")
      }).pipe(Effect.provide(client([registry.host, tokens.host], { tokenMarginMs: 0 })))
    }))

  test("costs one token when many ask for the same at once", () =>
    Effect.gen(function* () {
      const { registry, tokens } = yield* guarded(issueNew, (token) => token !== "")
      yield* Effect.forEach([1, 2, 3, 4, 5, 6], () => manifest(registry.host, "a"), { concurrency: 6 }).pipe(
        Effect.provide(client([registry.host, tokens.host]))
      )
      assert.strictEqual(tokens.asked.length, 1)
    }))

  test("is not asked for ever when it refuses its own tokens", () =>
    Effect.gen(function* () {
      const { registry, tokens } = yield* guarded(issueNew, () => false)
      yield* Effect.gen(function* () {
        const failure = yield* Effect.flip(manifest(registry.host, "a"))
        assert.strictEqual(failure._tag, "RegistryUnauthorized")
        assert.strictEqual(registry.asked.length, 2)
        assert.strictEqual(tokens.asked.length, 1)
      }).pipe(Effect.provide(client([registry.host, tokens.host])))
    }))

  test("is not let down by a token service that fails once, and is by one that refuses, or answers nonsense", () =>
    Effect.gen(function* () {
      const once = yield* guarded(
        (count) => (count === 1 ? { status: 503, body: "" } : issueNew(count)),
        (token) => token !== ""
      )
      yield* manifest(once.registry.host, "a").pipe(Effect.provide(client([once.registry.host, once.tokens.host])))
      for (const [status, body, tag] of [
        [401, "who are you", "RegistryUnauthorized"],
        [403, "", "RegistryUnauthorized"],
        [404, "", "RegistryUnavailable"],
        [200, "{}", "RegistryUnavailable"],
        [200, "<html>", "RegistryUnavailable"]
      ] as const) {
        const { registry, tokens } = yield* guarded(
          () => ({ status, body }),
          () => false
        )
        const failure = yield* Effect.flip(
          manifest(registry.host, "a").pipe(Effect.provide(client([registry.host, tokens.host])))
        )
        assert.strictEqual(failure._tag, tag, `${status} ${body}`)
        assert.strictEqual(tokens.asked.length, 1)
      }
    }))

  test("does not get our password sent to a token service in plain HTTP that nobody named insecure", () =>
    Effect.gen(function* () {
      const { registry, tokens } = yield* guarded(issueNew, () => false)
      const credentials = new Map([[registry.host, { username: "user", password: Redacted.make("word") }]])
      const failure = yield* Effect.flip(
        manifest(registry.host, "a").pipe(Effect.provide(client([registry.host], { credentials })))
      )
      assert.include(failure.message, "not among the insecure registries")
      assert.strictEqual(tokens.asked.length, 0)
    }))

  test("is refused when it asks for a proof that we do not know", () =>
    Effect.gen(function* () {
      for (const headers of [{}, { "www-authenticate": "Negotiate" }, { "www-authenticate": 'Basic realm="x"' }]) {
        const server = yield* WaywardServer.make((_, response) => response.writeHead(401, headers).end())
        const failure = yield* Effect.flip(manifest(server.host, "a").pipe(Effect.provide(client([server.host]))))
        assert.strictEqual(failure._tag, "RegistryUnauthorized")
        assert.strictEqual(server.asked.length, 1)
      }
    }))
})

/** A token service as registries know it: signed words about who may do what, for a user with a password. */
const tokenService = Effect.gen(function* () {
  const period = { from: new Date(Date.now() - 60_000), to: new Date(Date.now() + 3_600_000) }
  const authority = yield* CertificateAuthority.make("Authority of tokens", period)
  const leaf = { commonName: "tokens", names: [], usages: [] }
  const { certificate, key } = yield* CertificateAuthority.issue(authority, leaf, period)
  const der = new X509Certificate(certificate).raw.toString("base64")
  const sign = async (path: string, isKnown: boolean): Promise<string> => {
    const access = new URL(path, "http://tokens").searchParams.getAll("scope").map((scope) => {
      const [type, name, actions = ""] = scope.split(":")
      // Strangers may look, and nothing else.
      return { type, name, actions: actions.split(",").filter((action) => isKnown || action === "pull") }
    })
    return new SignJWT({ access })
      .setProtectedHeader({ alg: "ES256", typ: "JWT", x5c: [der] })
      .setIssuer("tests")
      .setAudience("images")
      .setSubject(isKnown ? "user" : "")
      .setIssuedAt()
      .setNotBefore("-1m")
      .setExpirationTime("5m")
      .setJti(randomUUID())
      .sign(createPrivateKey(Redacted.value(key)))
  }
  const server = yield* WaywardServer.make(({ headers, path }, response) => {
    const isKnown = headers.authorization === `Basic ${btoa("user:word")}`
    void sign(path, isKnown).then((token) => response.end(JSON.stringify({ token, expires_in: 300 })))
  })
  const wish = { realm: `http://${server.host}/`, service: "images", issuer: "tests", authority: authority.certificate }
  return { server, wish }
})

describe("A real registry that wants tokens", needs("registry"), () => {
  test("lets us push, pull and mirror with them, and strangers look", () =>
    Effect.gen(function* () {
      const { server, wish } = yield* tokenService
      const { host } = yield* DockerRegistry.make({ tokens: wish })
      const hosts = [host, server.host]
      const credentials = new Map([[host, { username: "user", password: Redacted.make("word") }]])
      const [name, copy] = [reference(`${host}/team/one:1`), reference(`${host}/team/two:1`)]
      yield* Effect.gen(function* () {
        const registry = yield* Registry
        yield* registry.ping(host)
        yield* push(name, sample)
        assert.strictEqual((yield* registry.resolve(name)).digest, sample.digest)
        assert.deepInclude(yield* registry.mirror(name, copy), { digest: sample.digest, copiedBlobs: 0 })
      }).pipe(Effect.provide(client(hosts, { credentials })))
      yield* Effect.gen(function* () {
        const registry = yield* Registry
        assert.isTrue(yield* registry.has(copy))
        const failure = yield* Effect.flip(push(reference(`${host}/team/three:1`), sample))
        assert.strictEqual(failure._tag, "RegistryUnauthorized")
      }).pipe(Effect.provide(client(hosts)))
    }))
})
