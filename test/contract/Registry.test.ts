import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, References, Stream } from "effect"
import * as MemoryRegistry from "#layers/memory/MemoryRegistry"
import * as OciRegistry from "#layers/registry/OciRegistry"
import { Registry } from "#services/Registry"
import * as DockerRegistry from "#test/support/DockerRegistry"
import { needs } from "#test/support/Engines"
import { image, noise, push, reference, sha256 } from "#test/support/SampleImages"
import { Hosts, suite } from "./RegistryContract.ts"

const memoryHosts = { here: "here.example", there: "there.example:5000" }

suite("memory", Layer.merge(MemoryRegistry.layer(Object.values(memoryHosts)), Layer.succeed(Hosts, memoryHosts)))

/** That HTTP is plain is meant here. */
const quiet = Layer.succeed(References.MinimumLogLevel, "Error")

/** Two registries of one kind, and a client that knows how to speak to them. */
const real = (wish: DockerRegistry.Wish, chunkBytes: number) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const here = yield* DockerRegistry.make(wish)
      const there = yield* DockerRegistry.make({})
      return Layer.merge(
        OciRegistry.layer({
          insecureHosts: new Set([there.host, "127.0.0.1:1", ...(wish.tls === true ? [] : [here.host])]),
          credentials: new Map(wish.password === true ? [[here.host, DockerRegistry.reader]] : []),
          authorityPath: here.authorityPath,
          retryDelayMs: 5,
          chunkBytes
        }),
        Layer.merge(Layer.succeed(Hosts, { here: here.host, there: there.host }), quiet)
      )
    })
  )

const mebibyte = 1_048_576

const absent = needs("registry")

describe("Registry over HTTP", absent, () => {
  suite("docker-registry", real({}, 8 * mebibyte))
  suite("docker-registry in pieces, behind a password", real({ password: true }, 4_096))
  suite("docker-registry behind TLS", real({ tls: true, password: true }, 8 * mebibyte))
})

describe("Registry and a real registry", absent, () => {
  const withRegistry = <A, E>(
    wish: DockerRegistry.Wish,
    settings: (host: DockerRegistry.DockerRegistry) => Parameters<typeof OciRegistry.layer>[0],
    use: (host: string) => Effect.Effect<A, E, Registry>
  ) =>
    Effect.gen(function* () {
      const registry = yield* DockerRegistry.make(wish)
      return yield* use(registry.host).pipe(Effect.provide(OciRegistry.layer(settings(registry))))
    }).pipe(Effect.provide(quiet), Effect.scoped)

  const pinging = (host: string) => Effect.flatMap(Registry, (registry) => Effect.flip(registry.ping(host)))

  it.live("is refused without a password, and with a wrong one", () =>
    Effect.gen(function* () {
      const insecure = ({ host }: DockerRegistry.DockerRegistry) => ({ insecureHosts: new Set([host]) })
      const without = yield* withRegistry({ password: true }, insecure, pinging)
      assert.strictEqual(without._tag, "RegistryUnauthorized")
      const wrong = yield* withRegistry(
        { password: true },
        (registry) => ({
          ...insecure(registry),
          credentials: new Map([[registry.host, { username: "reader", password: Redacted.make("wrong") }]])
        }),
        pinging
      )
      assert.strictEqual(wrong._tag, "RegistryUnauthorized")
      assert.include(wrong.message, "what we prove ourselves with is not good")
    })
  )

  it.live("does not fall back to plain HTTP, and believes no authority that it was not given", () =>
    Effect.gen(function* () {
      const plain = yield* withRegistry({}, () => ({ retryLimit: 0 }), pinging)
      assert.strictEqual(plain._tag, "RegistryUnavailable")
      const stranger = yield* withRegistry({ tls: true }, () => ({ retryLimit: 0 }), pinging)
      assert.strictEqual(stranger._tag, "RegistryUnavailable")
      assert.match(stranger.message, /certificate/)
    })
  )

  it.live("takes a blob over from another repository of the same registry", () =>
    withRegistry(
      {},
      ({ host }) => ({ insecureHosts: new Set([host]) }),
      (host) =>
        Effect.gen(function* () {
          const registry = yield* Registry
          const from = reference(`${host}/mount/from:1`)
          yield* push(from, image("mounted"))
          const outcome = yield* registry.mirror(from, reference(`${host}/mount/to:2`))
          assert.deepInclude(outcome, { copiedBlobs: 0, presentBlobs: 3 })
        })
    )
  )

  it.live("streams a large blob in pieces, up and down, at once with others", () =>
    withRegistry(
      {},
      ({ host }) => ({ insecureHosts: new Set([host]), chunkBytes: mebibyte }),
      (host) =>
        Effect.gen(function* () {
          const registry = yield* Registry
          const name = reference(`${host}/large:1`)
          const round = Effect.fnUntraced(function* (seed: string) {
            const bytes = noise(seed, 6 * mebibyte + 17)
            const blob = { mediaType: "application/octet-stream", digest: sha256(bytes), size: bytes.length }
            const pieces = Array.from({ length: 97 }, (_, at) => {
              const step = Math.ceil(bytes.length / 97)
              return bytes.subarray(at * step, (at + 1) * step)
            })
            assert.strictEqual(yield* registry.putBlob(name, blob, Stream.fromIterable(pieces)), "copied")
            const back = Buffer.concat([...(yield* Stream.runCollect(registry.blob(name, blob)))])
            assert.strictEqual(sha256(back), blob.digest)
          })
          yield* Effect.forEach(["a", "b", "c"], round, { concurrency: 3, discard: true })
        })
    )
  )
})
