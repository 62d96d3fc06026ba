/** What calls on a containerd promise, on a real one. */
import { assert, describe, it } from "@effect/vitest"
import { status } from "@grpc/grpc-js"
import { Effect, Fiber, Stream } from "effect"
import * as ContainerdApi from "#layers/containerd/ContainerdApi"
import { Content, WriteAction } from "#layers/containerd/generated/containerd/content_pb"
import { Events } from "#layers/containerd/generated/containerd/events_pb"
import { Images } from "#layers/containerd/generated/containerd/images_pb"
import { Leases } from "#layers/containerd/generated/containerd/leases_pb"
import { Version } from "#layers/containerd/generated/containerd/version_pb"
import * as Containerd from "#test/support/Containerd"
import { eventually } from "#test/support/Eventually"
import { noise, sha256 } from "#test/support/SampleImages"

const connectedTo = (series: Containerd.Series) =>
  Effect.fnUntraced(function* <A, E>(
    use: (api: ContainerdApi.ContainerdApi["Service"], peer: Containerd.Containerd) => Effect.Effect<A, E>
  ) {
    const peer = yield* Containerd.make({ series })
    const layer = ContainerdApi.layer({ socketPath: peer.socket, namespace: peer.namespace })
    return yield* ContainerdApi.ContainerdApi.pipe(
      Effect.flatMap((api) => use(api, peer)),
      Effect.provide(layer)
    )
  })

const bytes = noise("content", 100_000)
const digest = sha256(bytes)

/** In two pieces, as any content is. */
const write = (api: ContainerdApi.ContainerdApi["Service"], lease: string | undefined) =>
  Effect.gen(function* () {
    const ask = yield* api.converse(Content.method.write, { lease })
    const begun = yield* ask({ action: WriteAction.STAT, ref: digest, total: BigInt(bytes.length), expected: digest })
    assert.strictEqual(begun.offset, 0n)
    const half = yield* ask({ action: WriteAction.WRITE, ref: digest, data: bytes.subarray(0, 50_000) })
    assert.strictEqual(half.offset, 50_000n)
    yield* ask({ action: WriteAction.WRITE, ref: digest, offset: 50_000n, data: bytes.subarray(50_000) })
    const over = yield* ask({
      action: WriteAction.COMMIT,
      ref: digest,
      total: BigInt(bytes.length),
      offset: BigInt(bytes.length),
      expected: digest
    })
    assert.strictEqual(over.digest, digest)
  }).pipe(Effect.scoped)

const read = (api: ContainerdApi.ContainerdApi["Service"]) =>
  api.listen(Content.method.read, { digest }).pipe(
    Stream.runFold(
      () => Buffer.alloc(0),
      (begun, { data }) => Buffer.concat([begun, data])
    )
  )

for (const { name, needed, series } of Containerd.everyVersion()) {
  describe(`ContainerdApi of ${name}`, needed, () => {
    const connected = connectedTo(series)
    it.live("speaks of its namespace, and is told by a code what is not there", () =>
      connected((api, { ctr }) =>
        Effect.gen(function* () {
          const { version } = yield* api.call(Version.method.version, {})
          assert.match(version, /^\d+\.\d+\.\d+/)
          const target = { mediaType: "application/vnd.oci.image.index.v1+json", digest, size: 1n }
          yield* api.call(Images.method.create, { image: { name: "an/image:1", target } })
          assert.strictEqual(yield* ctr("images", "list", "--quiet"), "an/image:1")
          const failure = yield* Effect.flip(api.call(Images.method.get, { name: "another" }))
          assert.strictEqual(failure.kind, "refused")
          assert.strictEqual(failure.code, status.NOT_FOUND)
          assert.isTrue(api.isReachable())
        })
      )
    )

    it.live("writes content piece by piece, and reads it again", () =>
      connected((api) =>
        Effect.gen(function* () {
          yield* write(api, undefined)
          assert.isTrue((yield* read(api)).equals(bytes))
          const failure = yield* Effect.flip(write(api, undefined))
          assert.strictEqual(failure.code, status.ALREADY_EXISTS)
        })
      )
    )

    it.live("puts what it creates into a lease, and it goes when that does", () =>
      connected((api) =>
        Effect.gen(function* () {
          yield* api.call(Leases.method.create, { id: "one" })
          yield* write(api, "one")
          yield* api.call(Leases.method.create, { id: "other" })
          yield* api.call(Leases.method.delete, { id: "other", sync: true })
          assert.isTrue((yield* read(api)).equals(bytes))
          yield* api.call(Leases.method.delete, { id: "one", sync: true })
          assert.strictEqual((yield* Effect.flip(read(api))).code, status.NOT_FOUND)
        })
      )
    )

    it.live("hears what happens as it happens, until nobody listens any more", () =>
      connected((api, { namespace }) =>
        Effect.gen(function* () {
          const heard: Array<string> = []
          const listening = yield* Effect.forkChild(
            api
              .listen(Events.method.subscribe, { filters: [`namespace==${namespace}`] }, { limitMs: Infinity })
              .pipe(Stream.runForEach(({ topic }) => Effect.sync(() => heard.push(topic))))
          )
          // Nothing says when it listens.
          const made = Effect.suspend(() => {
            const image = { name: `image-${performance.now()}`, target: { mediaType: "of/mine", digest, size: 1n } }
            return Effect.as(api.call(Images.method.create, { image }), heard)
          })
          const topics = yield* eventually("an event", made, (seen) => seen.length > 0)
          assert.deepStrictEqual([...new Set(topics)], ["/images/create"])
          yield* Fiber.interrupt(listening)
        })
      )
    )

    it.live("gives an answer up that does not come in time", () =>
      connected((api) =>
        Effect.gen(function* () {
          const { code, kind } = yield* api
            .listen(Events.method.subscribe, { filters: ["topic==none"] }, { limitMs: 100 })
            .pipe(Stream.runDrain, Effect.flip)
          assert.strictEqual(kind, "lost")
          assert.strictEqual(code, status.DEADLINE_EXCEEDED)
        })
      )
    )

    it.live("says so when containerd is away, and goes on when it is back", () =>
      connected((api, peer) =>
        Effect.gen(function* () {
          yield* api.call(Version.method.version, {})
          yield* peer.stop
          const failure = yield* Effect.flip(api.call(Version.method.version, {}))
          assert.include(["unreached", "lost"], failure.kind)
          assert.include(failure.message, "containerd does not answer")
          assert.isFalse(api.isReachable())
          yield* peer.start
          yield* eventually(
            "an answer",
            Effect.result(api.call(Version.method.version, {})),
            ({ _tag }) => _tag === "Success"
          )
          assert.isTrue(api.isReachable())
        })
      )
    )
  })
}
