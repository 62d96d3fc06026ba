/** Images that templates name, on their way from real registries and a real engine into a registry of the stack. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as DockerApi from "#layers/docker/DockerApi"
import * as DockerImageBuilder from "#layers/docker/DockerImageBuilder"
import * as DockerLogins from "#layers/registry/DockerLogins"
import * as OciRegistry from "#layers/registry/OciRegistry"
import * as ImageMirror from "#programs/esb/ImageMirror"
import type { Prewarm } from "#domain/MirroredImage"
import { Registry } from "#services/Registry"
import { docker, names, smallBase } from "#test/support/DockerImages"
import * as DockerRegistry from "#test/support/DockerRegistry"
import { needs } from "#test/support/Engines"
import { image, index, push, reference } from "#test/support/SampleImages"

const engine = DockerImageBuilder.layer({ engine: "unix:///var/run/docker.sock" }).pipe(
  Layer.provide(DockerApi.layer({ socketPath: "/var/run/docker.sock" }))
)

type Settings = Parameters<typeof OciRegistry.layer>[0]

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "esb-logins-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A registry that images come from, one that they go to, and how the command line gets them there. */
const registries = Effect.fnUntraced(function* (wish: DockerRegistry.Wish = {}) {
  const source = yield* DockerRegistry.make(wish)
  const own = yield* DockerRegistry.make()
  const told: Array<string> = []
  const warned: Array<string> = []

  const speaking = (settings: Settings = {}) =>
    Layer.merge(
      OciRegistry.layer({
        insecureHosts: new Set([source.host, own.host]),
        retryDelayMs: 5,
        retryLimit: 1,
        ...settings
      }),
      engine
    ).pipe(Layer.orDie)

  /** As a deploy does it, which knows nothing of those before. */
  const deploy = (imageUri: string, prewarm: Prewarm = "missing", settings?: Settings) =>
    ImageMirror.make({
      naming: { identity: { brand: "esb", environment: "test" }, registry: own.host, tag: "v1" },
      prewarm,
      progress: (line) => told.push(line),
      warn: (line) => warned.push(line)
    }).pipe(
      Effect.flatMap((mirrored) => mirrored("hello", imageUri)),
      Effect.provide(speaking(settings)),
      Effect.scoped
    )

  const use = <A, E>(work: Effect.Effect<A, E, Registry>, settings?: Settings) =>
    Effect.provide(work, speaking(settings))
  return { source, own, told, warned, deploy, use }
})

const digestOf = (text: string) =>
  Effect.flatMap(Registry, (registry) => Effect.map(registry.resolve(reference(text)), ({ digest }) => digest))

/** Another image under the same name. */
const changed = Effect.fnUntraced(function* (name: string) {
  const context = yield* temporary
  writeFileSync(join(context, "Dockerfile"), `FROM ${name}\nCOPY Dockerfile /changed\n`)
  yield* docker("build", "--quiet", "--tag", name, context)
})

describe("an image that a template names", needs("docker", "registry"), () => {
  it.live("is copied once, below the name of its registry, and named by its digest", () =>
    Effect.gen(function* () {
      const { deploy, own, source, told, use } = yield* registries()
      const from = `${source.host}/team/hello:7`
      const { digest } = image("seven")
      yield* use(push(reference(from), image("seven")))

      const copy = `${own.host}/127.0.0.1-${source.host.split(":")[1]}/team/hello`
      assert.deepStrictEqual(yield* deploy(from), { image: `${copy}@${digest}`, outcome: "copied" })
      assert.deepStrictEqual(told, [`copying ${from} to ${own.host}`])
      assert.deepStrictEqual(yield* deploy(from), { image: `${copy}@${digest}`, outcome: "unchanged" })
      assert.strictEqual(yield* use(digestOf(`${copy}:7`)), digest)
      assert.deepStrictEqual(yield* deploy(from, "all"), { image: `${copy}@${digest}`, outcome: "copied" })
      assert.deepStrictEqual(yield* deploy(from, "off"), { image: from, outcome: "given" })
      assert.deepStrictEqual(yield* deploy(`${copy}:7`), { image: `${copy}@${digest}`, outcome: "given" })
    }).pipe(Effect.scoped)
  )

  it.live("is a new image when its tag has moved, and the old one when the tag has moved back", () =>
    Effect.gen(function* () {
      const { deploy, source, use } = yield* registries()
      const from = `${source.host}/team/hello`
      yield* use(push(reference(from), image("first")))
      const first = yield* deploy(from)
      yield* use(push(reference(from), image("second")))
      const second = yield* deploy(from)
      assert.strictEqual(second.outcome, "copied")
      assert.include(second.image, image("second").digest)
      yield* use(push(reference(from), image("first")))
      assert.deepStrictEqual(yield* deploy(from), { ...first, outcome: "unchanged" })
      const [tag] = first.image.split("@")
      assert.strictEqual(yield* use(digestOf(`${tag}:latest`)), image("first").digest)
    }).pipe(Effect.scoped)
  )

  it.live("is copied for the platform of this machine alone, and refused when it is for others only", () =>
    Effect.gen(function* () {
      const { deploy, own, source, use } = yield* registries()
      const [here, there] = process.arch === "x64" ? ["amd64", "arm64"] : ["arm64", "amd64"]
      const both = [
        [here, image("here", { architecture: here })],
        [there, image("there", { architecture: there })]
      ] as const
      const pushIndex = Effect.fnUntraced(function* (
        to: string,
        images: typeof both | ReadonlyArray<(typeof both)[1]>
      ) {
        const registry = yield* Registry
        for (const [, each] of images) yield* push({ ...reference(to), tag: undefined, digest: each.digest }, each)
        return yield* registry.putManifest(reference(to), index(images))
      })
      const from = `${source.host}/several:1`
      yield* use(pushIndex(from, both))
      const { image: copy } = yield* deploy(from)
      assert.isTrue(copy.endsWith(`@${both[0][1].digest}`), copy)
      const [repository] = copy.split("@")
      const has = (text: string) => use(Effect.flatMap(Registry, (registry) => registry.has(reference(text))))
      assert.isTrue(yield* has(copy))
      assert.isFalse(yield* has(`${repository}@${both[1][1].digest}`))
      assert.strictEqual((yield* deploy(from)).outcome, "unchanged")

      yield* use(pushIndex(`${source.host}/foreign:1`, [both[1]]))
      const failure = yield* Effect.flip(deploy(`${source.host}/foreign:1`))
      assert.strictEqual(failure.reason, "IMAGE_PULL_FAILED")
      assert.include(failure.message, `docker build --platform linux/${here}`)
      assert.notInclude(failure.message, own.host)
    }).pipe(Effect.scoped)
  )

  it.live("is used as it was copied last, with a warning, while its registry is away", () =>
    Effect.gen(function* () {
      const { deploy, source, use, warned } = yield* registries()
      const from = `${source.host}/team/hello:7`
      yield* use(push(reference(from), image("seven")))
      const { image: copied } = yield* deploy(from)
      const pinned = `${source.host}/team/hello@${image("seven").digest}`
      yield* deploy(pinned)
      yield* source.stop
      assert.deepStrictEqual(yield* deploy(from), { image: copied, outcome: "unchanged" })
      assert.lengthOf(warned, 1)
      assert.match(warned[0] ?? "", /is unavailable: .*is used as it was copied last/)
      // What a digest says needs nobody's word.
      assert.strictEqual((yield* deploy(pinned)).outcome, "unchanged")
      assert.lengthOf(warned, 1)
      const gone = yield* Effect.flip(deploy(`${source.host}/team/other:1`))
      assert.strictEqual(gone.reason, "IMAGE_PULL_FAILED")
      assert.include(gone.message, source.host)
    }).pipe(Effect.scoped)
  )

  it.live("that is nowhere is refused with what to look for", () =>
    Effect.gen(function* () {
      const { deploy, source } = yield* registries()
      const missing = yield* Effect.flip(deploy(`${source.host}/nobody/here:1`))
      assert.strictEqual(missing.reason, "IMAGE_PULL_FAILED")
      assert.include(missing.message, "look for a slip in its name or tag")
      const wrong = yield* Effect.flip(deploy("https://host/image"))
      assert.strictEqual(wrong.reason, "IMAGE_NAME_INVALID")
    }).pipe(Effect.scoped)
  )

  it.live("comes from a private registry with the login that Docker has", () =>
    Effect.gen(function* () {
      const { deploy, source, use } = yield* registries({ password: true })
      const { password, username } = DockerRegistry.reader
      const from = `${source.host}/private:1`
      const directory = yield* temporary
      const logins = DockerLogins.forHosts(directory, new Set([source.host]))
      assert.strictEqual((yield* logins).size, 0)
      const refused = yield* Effect.flip(deploy(from))
      assert.strictEqual(refused.reason, "IMAGE_AUTH_FAILED")
      assert.include(refused.message, `docker login ${source.host}`)

      const auth = Buffer.from(`${username}:${Redacted.value(password)}`).toString("base64")
      const auths = { [`https://${source.host}/v1/`]: { auth }, "other.example": { auth: "eA==" } }
      writeFileSync(join(directory, "config.json"), JSON.stringify({ auths }))
      const credentials = yield* logins
      yield* use(push(reference(from), image("private")), { credentials })
      const { outcome } = yield* deploy(from, "missing", { credentials })
      assert.strictEqual(outcome, "copied")
    }).pipe(Effect.scoped)
  )

  it.live("comes from the engine when its name has no registry, and is sent again only when it has changed", () =>
    Effect.gen(function* () {
      const { deploy, own, use } = yield* registries()
      const prefix = yield* names
      const base = yield* smallBase(prefix)
      const first = yield* deploy(base)
      assert.match(first.image, new RegExp(`^${own.host}/esb-hello@sha256:[0-9a-f]{64}$`))
      assert.strictEqual(first.outcome, "copied")
      assert.include(first.image, yield* use(digestOf(`${own.host}/esb-hello:v1`)))
      assert.deepStrictEqual(yield* deploy(base), { ...first, outcome: "unchanged" })

      yield* docker("rmi", `${own.host}/esb-hello:v1`)
      yield* changed(base)
      const second = yield* deploy(base)
      assert.strictEqual(second.outcome, "copied")
      assert.notStrictEqual(second.image, first.image)
      yield* docker("rmi", `${own.host}/esb-hello:v1`)
    }).pipe(Effect.scoped)
  )

  it.live("comes from Docker's registry when the engine does not have it either", () =>
    Effect.gen(function* () {
      const { deploy } = yield* registries()
      // A proxy that nobody runs: nothing leaves this machine.
      const proxies = { http: undefined, https: "http://127.0.0.1:1", none: "" }
      const failure = yield* Effect.flip(deploy("esb-test-nobody/has-this:1", "missing", { proxies }))
      assert.strictEqual(failure.reason, "IMAGE_PULL_FAILED")
      assert.include(failure.message, "Registry docker.io is unavailable")
    }).pipe(Effect.scoped)
  )
})

describe("Docker's logins", () => {
  const helper = `#!/bin/sh
read host
case "$host" in
  *good.example*) echo '{"ServerURL":"x","Username":"me","Secret":"s3cret:with colon"}' ;;
  *index.docker.io/v1/) echo '{"Username":"hub","Secret":"own"}' ;;
  *token.example*) echo '{"Username":"<token>","Secret":"t"}' ;;
  *broken.example*) echo 'the store is locked'; exit 1 ;;
  *) echo 'credentials not found in native keychain'; exit 1 ;;
esac
`
  const loginsIn = Effect.fnUntraced(function* (config: object) {
    const directory = yield* temporary
    writeFileSync(join(directory, "config.json"), JSON.stringify(config))
    writeFileSync(join(directory, "docker-credential-esb-test"), helper)
    chmodSync(join(directory, "docker-credential-esb-test"), 0o755)
    const path = process.env["PATH"]
    yield* Effect.acquireRelease(
      Effect.sync(() => (process.env["PATH"] = `${directory}:${path}`)),
      () => Effect.sync(() => (process.env["PATH"] = path))
    )
    return (...hosts: ReadonlyArray<string>) => DockerLogins.forHosts(directory, new Set(hosts))
  })

  it.live("are had from the helper that keeps them, which is asked for no other host", () =>
    Effect.gen(function* () {
      const logins = yield* loginsIn({
        auths: { "plain.example": { auth: Buffer.from("a:b").toString("base64") } },
        credHelpers: { "good.example": "esb-test", "elsewhere.example": "esb-nobody", "docker.io": "esb-test" }
      })
      const found = yield* logins("good.example", "plain.example", "docker.io", "unknown.example")
      assert.deepStrictEqual(
        [...found].map(([host, { password, username }]) => [host, username, Redacted.value(password)]),
        [
          ["good.example", "me", "s3cret:with colon"],
          ["plain.example", "a", "b"],
          ["docker.io", "hub", "own"]
        ]
      )
    }).pipe(Effect.scoped)
  )

  it.live("that cannot be had are a failure that names where they should be", () =>
    Effect.gen(function* () {
      const logins = yield* loginsIn({ credsStore: "esb-test", credHelpers: { "gone.example": "esb-nobody" } })
      assert.strictEqual((yield* logins("unknown.example")).size, 0)
      for (const [host, told] of [
        ["gone.example", /docker-credential-esb-nobody: there is no such program/],
        ["broken.example", /docker-credential-esb-test: the store is locked \(asked for broken\.example\)/],
        ["token.example", /identity tokens are not supported/]
      ] as const) {
        assert.match((yield* Effect.flip(logins(host))).message, told)
      }
      const directory = yield* temporary
      writeFileSync(join(directory, "config.json"), "{")
      const damaged = yield* Effect.flip(DockerLogins.forHosts(directory, new Set(["x.example"])))
      assert.include(damaged.message, join(directory, "config.json"))
    }).pipe(Effect.scoped)
  )
})
