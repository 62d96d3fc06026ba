import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, References, type Scope, Stream } from "effect"
import { mediaTypes } from "#domain/ImageManifest"
import { at } from "#domain/ImageReference"
import * as OciRegistry from "#layers/registry/OciRegistry"
import { Registry } from "#services/Registry"
import { eventually } from "#test/support/Eventually"
import { image, noise, reference, sha256 } from "#test/support/SampleImages"
import * as WaywardServer from "#test/support/WaywardServer"

type Settings = NonNullable<Parameters<typeof OciRegistry.layer>[0]>

/** A client that is quick to try again, and to lose its patience. */
const client = (hosts: ReadonlyArray<string>, settings: Partial<Settings> = {}) =>
  Layer.merge(
    OciRegistry.layer({ insecureHosts: new Set(hosts), retryDelayMs: 5, retryLimit: 2, ...settings }),
    Layer.succeed(References.MinimumLogLevel, "Error")
  )

const test = (title: string, body: () => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(title, () => Effect.scoped(Effect.suspend(body)))

const sample = image("wayward")
const [manifestType] = mediaTypes.manifest
const bytes = noise("blob", 300_000)
const blob = { mediaType: "application/octet-stream", digest: sha256(bytes), size: bytes.length }

const fetched = (host: string) =>
  Effect.flatMap(Registry, (registry) =>
    Effect.map(Stream.runCollect(registry.blob(reference(`${host}/a/b:1`), blob)), (pieces) =>
      Buffer.concat([...pieces])
    )
  )

const asManifest = { "content-type": sample.manifest.mediaType }

describe("A registry that lies", () => {
  test("is not believed when a manifest is not the one that was asked for", () =>
    Effect.gen(function* () {
      const server = yield* WaywardServer.make((_, response) =>
        response.writeHead(200, { "content-type": manifestType, "docker-content-digest": blob.digest }).end("{}")
      )
      const name = reference(`${server.host}/a:1`)
      yield* Effect.gen(function* () {
        const registry = yield* Registry
        for (const asked of [name, at(name, sample.digest)]) {
          assert.strictEqual((yield* Effect.flip(registry.manifest(asked)))._tag, "DigestMismatch")
        }
        assert.strictEqual((yield* Effect.flip(registry.resolve(at(name, sample.digest))))._tag, "DigestMismatch")
        assert.strictEqual((yield* Effect.flip(registry.has(at(name, sample.digest))))._tag, "DigestMismatch")
      }).pipe(Effect.provide(client([server.host])))
    }))

  test("is not believed when a blob is another, shorter or longer than announced", () =>
    Effect.gen(function* () {
      for (const wrong of [noise("other", bytes.length), bytes.subarray(0, 1_000), noise("longer", 400_000)]) {
        const server = yield* WaywardServer.make(({ headers }, response) =>
          headers.range === undefined ? response.writeHead(200).end(wrong) : response.writeHead(416).end()
        )
        const failure = yield* Effect.flip(fetched(server.host).pipe(Effect.provide(client([server.host]))))
        assert.strictEqual(failure._tag, "DigestMismatch")
      }
    }))

  test("costs no more than what was announced when its body never ends", () =>
    Effect.gen(function* () {
      const server = yield* WaywardServer.make((_, response) => {
        response.writeHead(200, { "content-type": manifestType })
        const more = (): void => {
          while (!response.destroyed && response.write(bytes));
          response.once("drain", more)
        }
        more()
      })
      yield* Effect.gen(function* () {
        const registry = yield* Registry
        assert.strictEqual((yield* Effect.flip(fetched(server.host)))._tag, "DigestMismatch")
        const failure = yield* Effect.flip(registry.manifest(reference(`${server.host}/a:1`)))
        assert.strictEqual(failure._tag, "RegistryUnavailable")
        assert.include(failure.message, "more than 100000 bytes")
        yield* eventually("connections are cut", Effect.sync(server.connections), ({ open }) => open === 0)
      }).pipe(Effect.provide(client([server.host], { manifestLimitBytes: 100_000 })))
    }))

  test("is asked for no blob that is larger than the limit", () =>
    Effect.gen(function* () {
      const server = yield* WaywardServer.make((_, response) => response.writeHead(200).end())
      const failure = yield* Effect.flip(
        fetched(server.host).pipe(Effect.provide(client([server.host], { blobLimitBytes: 1_000 })))
      )
      assert.include(failure.message, "more than 1000")
      assert.strictEqual(server.asked.length, 0)
    }))

  test("cannot pass off what is no manifest", () =>
    Effect.gen(function* () {
      for (const type of ["text/html", manifestType]) {
        const server = yield* WaywardServer.make((_, response) =>
          response.writeHead(200, { "content-type": type }).end("<html>")
        )
        const failure = yield* Effect.flip(
          Effect.flatMap(Registry, (registry) => registry.manifest(reference(`${server.host}/a:1`))).pipe(
            Effect.provide(client([server.host]))
          )
        )
        assert.strictEqual(failure._tag, "RegistryUnavailable")
      }
    }))
})

describe("A registry that breaks off, or cannot be spoken to", () => {
  test("is told of by name when it speaks plain HTTP and is not named insecure", () =>
    Effect.gen(function* () {
      const server = yield* WaywardServer.make((_, response) => response.writeHead(200).end(bytes))
      const failure = yield* Effect.flip(fetched(server.host).pipe(Effect.provide(client([]))))
      assert.include(failure.message, "answers in plain HTTP, and is not among the insecure registries")
      assert.strictEqual(server.asked.length, 0)
    }))

  /** Sends a part of what is left, and cuts the connection. */
  const cutting =
    (partBytes: number, honoursRange: boolean): WaywardServer.Conduct =>
    ({ headers }, response) => {
      const start = honoursRange ? Number(/^bytes=(\d+)-$/.exec(headers.range ?? "bytes=0-")?.[1]) : 0
      const rest = bytes.subarray(start)
      const isPart = start > 0
      response.writeHead(isPart ? 206 : 200, {
        "content-length": rest.length,
        ...(isPart ? { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {})
      })
      if (rest.length <= partBytes) response.end(rest)
      else response.write(rest.subarray(0, partBytes), () => setTimeout(() => response.destroy(), 20))
    }

  test("is asked for the rest only", () =>
    Effect.gen(function* () {
      const server = yield* WaywardServer.make(cutting(120_000, true))
      const received = yield* fetched(server.host).pipe(Effect.provide(client([server.host])))
      assert.isTrue(received.equals(bytes))
      assert.deepStrictEqual(
        server.asked.map(({ headers }) => headers.range),
        [undefined, "bytes=120000-", "bytes=240000-"]
      )
    }))

  test("may begin anew when it knows no ranges", () =>
    Effect.gen(function* () {
      let cuts = 0
      const server = yield* WaywardServer.make((asked, response) =>
        cutting((cuts += 1) === 1 ? 120_000 : bytes.length, false)(asked, response)
      )
      const received = yield* fetched(server.host).pipe(Effect.provide(client([server.host])))
      assert.isTrue(received.equals(bytes))
    }))

  test("is given up when it always does", () =>
    Effect.gen(function* () {
      const server = yield* WaywardServer.make(cutting(10, true))
      const failure = yield* Effect.flip(fetched(server.host).pipe(Effect.provide(client([server.host]))))
      assert.strictEqual(failure._tag, "RegistryUnavailable")
      assert.include(failure.message, "after 30 bytes")
      assert.strictEqual(server.asked.length, 3)
    }))

  test("is not listened to any longer than somebody wants the blob", () =>
    Effect.gen(function* () {
      const server = yield* WaywardServer.make((_, response) => void response.writeHead(200).write(bytes.subarray(1)))
      yield* Effect.gen(function* () {
        const registry = yield* Registry
        const first = registry.blob(reference(`${server.host}/a:1`), blob).pipe(Stream.take(1), Stream.runDrain)
        yield* first
        const all = registry.blob(reference(`${server.host}/a:1`), blob).pipe(Stream.runDrain)
        yield* all.pipe(Effect.timeoutOrElse({ duration: 100, orElse: () => Effect.void }))
        yield* eventually("connections are cut", Effect.sync(server.connections), ({ open }) => open === 0)
      }).pipe(Effect.provide(client([server.host])))
    }))
})

describe("A registry that is slow or busy", () => {
  const pinging = (host: string, settings: Partial<Settings>) =>
    Effect.flatMap(Registry, (registry) => registry.ping(host)).pipe(Effect.provide(client([host], settings)))

  test("has a limit for the beginning of an answer, for silence in it, and for all of it", () =>
    Effect.gen(function* () {
      const mute = yield* WaywardServer.make(() => undefined)
      const began = performance.now()
      const failure = yield* Effect.flip(pinging(mute.host, { answerLimitMs: 200, retryLimit: 0 }))
      assert.strictEqual(failure._tag, "RegistryUnavailable")
      assert.isBelow(performance.now() - began, 5_000)

      const silent = yield* WaywardServer.make((_, response) => void response.writeHead(200).write("x"))
      const blobFailure = yield* Effect.flip(
        fetched(silent.host).pipe(Effect.provide(client([silent.host], { silenceLimitMs: 200, retryLimit: 0 })))
      )
      assert.strictEqual(blobFailure._tag, "RegistryUnavailable")

      const dripping = yield* WaywardServer.make((_, response) => {
        response.writeHead(200, asManifest)
        const drip = setInterval(() => response.write(" "), 20)
        response.on("close", () => clearInterval(drip))
      })
      const document = yield* Effect.flip(
        Effect.flatMap(Registry, (registry) => registry.manifest(reference(`${dripping.host}/a:1`))).pipe(
          Effect.provide(client([dripping.host], { documentLimitMs: 300 }))
        )
      )
      assert.include(document.message, "does not end within 300 ms")
    }))

  test("is asked again as late as it wishes, and not at all when it wishes too much", () =>
    Effect.gen(function* () {
      const busy = yield* WaywardServer.make((_, response) =>
        busy.asked.length === 1
          ? response.writeHead(429, { "retry-after": "1" }).end()
          : response.writeHead(busy.asked.length === 2 ? 503 : 200).end()
      )
      yield* pinging(busy.host, {})
      const [first, second, third] = busy.asked.map(({ atMs }) => atMs)
      assert.strictEqual(busy.asked.length, 3)
      assert.isAtLeast((second ?? 0) - (first ?? 0), 990)
      assert.isDefined(third)

      const closed = yield* WaywardServer.make((_, response) =>
        response.writeHead(503, { "retry-after": "3600" }).end("closed for the night")
      )
      const failure = yield* Effect.flip(pinging(closed.host, {}))
      assert.include(failure.message, "closed for the night")
      assert.strictEqual(closed.asked.length, 1)
    }))

  test("is asked a few times, then counts as unavailable", () =>
    Effect.gen(function* () {
      const server = yield* WaywardServer.make((_, response) => response.writeHead(502).end())
      assert.strictEqual((yield* Effect.flip(pinging(server.host, {})))._tag, "RegistryUnavailable")
      assert.strictEqual(server.asked.length, 3)
    }))

  test("is never asked twice to begin or to go on with an upload", () =>
    Effect.gen(function* () {
      const server = yield* WaywardServer.make(({ method }, response) =>
        response.writeHead(method === "HEAD" ? 404 : method === "POST" ? 202 : 500, { location: "/v2/a/u?s=1" }).end()
      )
      const failure = yield* Effect.flip(
        Effect.flatMap(Registry, (registry) =>
          registry.putBlob(reference(`${server.host}/a:1`), blob, Stream.make(bytes))
        ).pipe(Effect.provide(client([server.host])))
      )
      assert.strictEqual(failure._tag, "RegistryUnavailable")
      // The last one calls the upload off.
      assert.deepStrictEqual(
        server.asked.map(({ method }) => method),
        ["HEAD", "POST", "PUT", "DELETE"]
      )
      assert.strictEqual(server.asked[2]?.path, `/v2/a/u?s=1&digest=${encodeURIComponent(blob.digest)}`)
    }))

  test("is told that an upload is given up, and not waited for", () =>
    Effect.gen(function* () {
      const server = yield* WaywardServer.make(({ method }, response) => {
        if (method === "HEAD") response.writeHead(404).end()
        if (method === "POST") response.writeHead(202, { location: "/v2/a/u" }).end()
      })
      const began = performance.now()
      yield* Effect.flatMap(Registry, (registry) =>
        registry.putBlob(reference(`${server.host}/a:1`), blob, Stream.make(bytes))
      ).pipe(
        Effect.timeoutOrElse({ duration: 200, orElse: () => Effect.succeed("given up") }),
        Effect.provide(client([server.host], { callOffLimitMs: 200 }))
      )
      assert.isBelow(performance.now() - began, 5_000)
      assert.deepStrictEqual(
        server.asked.map(({ method }) => method),
        ["HEAD", "POST", "PUT", "DELETE"]
      )
    }))

  test("is spoken to over connections that are kept, even when nobody wants to know why it refuses", () =>
    Effect.gen(function* () {
      const server = yield* WaywardServer.make(({ path }, response) =>
        path.includes("/blobs/")
          ? response.writeHead(404, { "content-length": 4 }).end("gone")
          : response.writeHead(200, asManifest).end(sample.manifest.bytes)
      )
      yield* Effect.gen(function* () {
        const registry = yield* Registry
        for (let n = 0; n < 5; n++) {
          yield* registry.manifest(at(reference(`${server.host}/a:1`), sample.digest))
          assert.strictEqual((yield* Effect.flip(fetched(server.host)))._tag, "ImageNotFound")
        }
      }).pipe(Effect.provide(client([server.host])))
      assert.strictEqual(server.asked.length, 10)
      // The next question may come before the last byte of a refusal.
      assert.isAtMost(server.connections().made, 3)
    }))
})

describe("A registry that sends us elsewhere", () => {
  const credentialsOf = (host: string) =>
    new Map([[host, { username: "user", password: Redacted.make("correct-horse") }]])
  const wantsBasic = { "www-authenticate": 'Basic realm="x"' }

  test("gets its blob from there, and tells nobody who we are", () =>
    Effect.gen(function* () {
      const store = yield* WaywardServer.make((_, response) => response.writeHead(200).end(bytes))
      const server = yield* WaywardServer.make(({ headers }, response) =>
        headers.authorization === undefined
          ? response.writeHead(401, wantsBasic).end()
          : response.writeHead(307, { location: `http://${store.host}/blob?signature=1` }).end()
      )
      const received = yield* fetched(server.host).pipe(
        Effect.provide(client([server.host, store.host], { credentials: credentialsOf(server.host) }))
      )
      assert.isTrue(received.equals(bytes))
      assert.strictEqual(server.asked.length, 2)
      assert.deepStrictEqual(
        store.asked.map(({ headers, path }) => [path, headers.authorization]),
        [["/blob?signature=1", undefined]]
      )
    }))

  test("does not learn who we are when an upload goes on elsewhere", () =>
    Effect.gen(function* () {
      const store = yield* WaywardServer.make((_, response) => response.writeHead(201).end())
      const server = yield* WaywardServer.make(({ headers, method }, response) =>
        headers.authorization === undefined
          ? response.writeHead(401, wantsBasic).end()
          : response.writeHead(method === "HEAD" ? 404 : 202, { location: `http://${store.host}/upload` }).end()
      )
      const outcome = yield* Effect.flatMap(Registry, (registry) =>
        registry.putBlob(reference(`${server.host}/a:1`), blob, Stream.make(bytes))
      ).pipe(Effect.provide(client([server.host, store.host], { credentials: credentialsOf(server.host) })))
      assert.strictEqual(outcome, "copied")
      assert.deepStrictEqual(
        store.asked.map(({ headers, method }) => [method, headers.authorization]),
        [["PUT", undefined]]
      )
    }))

  test("is not followed to where nothing is encrypted, unless that host is named insecure", () =>
    Effect.gen(function* () {
      const store = yield* WaywardServer.make((_, response) => response.writeHead(200).end(bytes))
      const server = yield* WaywardServer.make((_, response) =>
        response.writeHead(307, { location: `http://${store.host}/blob` }).end()
      )
      const failure = yield* Effect.flip(fetched(server.host).pipe(Effect.provide(client([server.host]))))
      assert.include(failure.message, "not among the insecure registries")
      assert.strictEqual(store.asked.length, 0)
    }))

  test("is not followed for ever", () =>
    Effect.gen(function* () {
      const server = yield* WaywardServer.make(({ path }, response) =>
        response.writeHead(302, { location: `${path}x` }).end()
      )
      const failure = yield* Effect.flip(fetched(server.host).pipe(Effect.provide(client([server.host]))))
      assert.include(failure.message, "more than 5 redirects")
      assert.strictEqual(server.asked.length, 6)
    }))
})
