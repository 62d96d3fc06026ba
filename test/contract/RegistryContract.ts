/** What every registry of images keeps to, seen by everybody who uses one. */
import { assert, it } from "@effect/vitest"
import { Context, Effect, type Layer, Stream } from "effect"
import { at, type ImageReference } from "#domain/ImageReference"
import { Registry } from "#services/Registry"
import { image, index, noise, push, reference, sha256 } from "#test/support/SampleImages"

/** Two registries, as host and port. */
export class Hosts extends Context.Service<Hosts, { readonly here: string; readonly there: string }>()(
  "esb/test/contract/RegistryContract/Hosts"
) {}

const amd64 = { os: "linux", architecture: "amd64" }
const arm64 = { os: "linux", architecture: "arm64" }

const collected = <E, R>(stream: Stream.Stream<Uint8Array, E, R>) =>
  Effect.map(Stream.runCollect(stream), (pieces) => Buffer.concat([...pieces]))

let count = 0

/** A name in the first registry that no other test uses. */
const fresh = (tag = "1") =>
  Effect.map(Hosts, ({ here }): ImageReference => reference(`${here}/contract/n${(count += 1)}:${tag}`))

const elsewhere = (of: ImageReference) => Effect.map(Hosts, ({ there }): ImageReference => ({ ...of, host: there }))

export const suite = (name: string, layer: Layer.Layer<Registry | Hosts, unknown>) =>
  it.layer(layer, { timeout: "30 seconds", excludeTestServices: true })(`Registry (${name})`, (it) => {
    it.effect("answers where it is, and nowhere else", () =>
      Effect.gen(function* () {
        const registry = yield* Registry
        const { here } = yield* Hosts
        yield* registry.ping(here)
        const failure = yield* Effect.flip(registry.ping("127.0.0.1:1"))
        assert.strictEqual(failure._tag, "RegistryUnavailable")
      })
    )

    for (const flavour of ["oci", "docker"] as const) {
      it.effect(`gives back an image as it was pushed (${flavour})`, () =>
        Effect.gen(function* () {
          const registry = yield* Registry
          const name = yield* fresh()
          const sample = image(flavour, { flavour })
          const pushed = yield* push(name, sample)
          assert.strictEqual(pushed.digest, sample.digest)
          for (const asked of [name, at(name, sample.digest)]) {
            assert.isTrue(yield* registry.has(asked))
            assert.deepStrictEqual(yield* registry.resolve(asked), pushed)
            const content = yield* registry.manifest(asked)
            assert.deepStrictEqual(Buffer.from(content.bytes), Buffer.from(sample.manifest.bytes))
            assert.strictEqual(content.mediaType, sample.manifest.mediaType)
          }
          for (const [descriptor, bytes] of sample.blobs) {
            assert.isTrue(yield* registry.hasBlob(name, descriptor))
            assert.isTrue((yield* collected(registry.blob(name, descriptor))).equals(bytes))
          }
          const { config } = yield* registry.config(name, amd64)
          assert.deepStrictEqual(config?.Entrypoint, ["/run"])
        })
      )
    }

    it.effect("has nothing that nobody pushed", () =>
      Effect.gen(function* () {
        const registry = yield* Registry
        const name = yield* fresh()
        const sample = image("absent")
        const missing = Effect.gen(function* () {
          assert.isFalse(yield* registry.has(name))
          assert.isFalse(yield* registry.hasBlob(name, sample.config))
          const questions: ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string }>> = [
            registry.resolve(name),
            registry.resolve(at(name, sample.digest)),
            registry.manifest(name),
            registry.config(name, amd64),
            collected(registry.blob(name, sample.config))
          ]
          for (const asked of questions) {
            assert.strictEqual((yield* Effect.flip(asked))._tag, "ImageNotFound")
          }
        })
        yield* missing
        // Nor has a repository that exists.
        yield* push({ ...name, tag: "2" }, image("present"))
        yield* missing
      })
    )

    it.effect("takes latest for what has no tag", () =>
      Effect.gen(function* () {
        const registry = yield* Registry
        const name = yield* fresh("latest")
        const { digest } = yield* push(name, image("latest"))
        assert.strictEqual((yield* registry.resolve({ ...name, tag: undefined })).digest, digest)
      })
    )

    it.effect("lets a tag stand for another image, and keeps the first under its digest", () =>
      Effect.gen(function* () {
        const registry = yield* Registry
        const name = yield* fresh()
        const first = yield* push(name, image("first"))
        const second = yield* push(name, image("second"))
        assert.strictEqual((yield* registry.resolve(name)).digest, second.digest)
        assert.strictEqual((yield* registry.resolve(at(name, first.digest))).digest, first.digest)
      })
    )

    it.effect("finds the image for a platform, with an index or without, and none for another platform", () =>
      Effect.gen(function* () {
        const registry = yield* Registry
        const name = yield* fresh()
        const [intel, arm] = [image("intel"), image("arm", { architecture: "arm64" })]
        for (const sample of [intel, arm]) yield* push({ ...name, tag: undefined, digest: sample.digest }, sample)
        const both = index([
          ["amd64", intel],
          ["arm64", arm]
        ])
        yield* registry.putManifest(name, both)
        assert.strictEqual((yield* registry.resolve(name)).digest, sha256(both.bytes))
        assert.strictEqual((yield* registry.resolve(name, amd64)).digest, intel.digest)
        assert.strictEqual((yield* registry.resolve(name, arm64)).digest, arm.digest)
        assert.deepStrictEqual((yield* registry.config(name, arm64)).config?.Env, ["NAME=arm"])

        yield* registry.putManifest(name, index([[undefined, arm]]))
        assert.strictEqual((yield* registry.resolve(name, arm64)).digest, arm.digest)
        const wrong = yield* Effect.flip(registry.resolve(name, amd64))
        assert.strictEqual(wrong._tag, "ImageNotFound")
        yield* registry.putManifest(name, both)

        const alone = at({ ...name, tag: undefined }, arm.digest)
        assert.strictEqual((yield* registry.resolve(alone, arm64)).digest, arm.digest)
        for (const [asked, platform] of [
          [name, { os: "linux", architecture: "riscv64" }],
          [alone, amd64]
        ] as const) {
          const failure = yield* Effect.flip(registry.resolve(asked, platform))
          assert.strictEqual(failure._tag, "ImageNotFound")
          assert.include(failure.message, `linux/${platform.architecture}`)
        }
      })
    )

    it.effect("takes a blob once", () =>
      Effect.gen(function* () {
        const registry = yield* Registry
        const name = yield* fresh()
        const bytes = noise("once", 100_000)
        const blob = { mediaType: "application/octet-stream", digest: sha256(bytes), size: bytes.length }
        let reads = 0
        const content = Stream.suspend(() => {
          reads += 1
          return Stream.make(bytes.subarray(0, 70_000), bytes.subarray(70_000))
        })
        assert.strictEqual(yield* registry.putBlob(name, blob, content), "copied")
        assert.strictEqual(yield* registry.putBlob(name, blob, content), "present")
        assert.strictEqual(reads, 1)
        assert.isTrue((yield* collected(registry.blob(name, blob))).equals(bytes))
      })
    )

    it.effect("gives whoever holds the beginning of a blob the rest of it", () =>
      Effect.gen(function* () {
        const registry = yield* Registry
        const name = yield* fresh()
        const bytes = noise("rest", 100_000)
        const blob = { mediaType: "application/octet-stream", digest: sha256(bytes), size: bytes.length }
        yield* registry.putBlob(name, blob, Stream.make(bytes))
        const rest = yield* collected(registry.blob(name, blob, 70_000))
        assert.isTrue(rest.equals(bytes.subarray(70_000)))
        assert.strictEqual((yield* collected(registry.blob(name, blob, bytes.length))).length, 0)
      })
    )

    it.effect("takes no blob that is not what its digest says, and keeps nothing of it", () =>
      Effect.gen(function* () {
        const registry = yield* Registry
        const name = yield* fresh()
        const bytes = noise("honest", 10_000)
        const blob = { mediaType: "application/octet-stream", digest: sha256(bytes), size: bytes.length }
        for (const wrong of [noise("other", 10_000), bytes.subarray(1), noise("long", 10_001), new Uint8Array()]) {
          const failure = yield* Effect.flip(registry.putBlob(name, blob, Stream.make(wrong)))
          assert.strictEqual(failure._tag, "DigestMismatch")
          assert.isFalse(yield* registry.hasBlob(name, blob))
        }
      })
    )

    it.effect("tells the failure of a content that breaks off, and keeps nothing of it", () =>
      Effect.gen(function* () {
        const registry = yield* Registry
        const name = yield* fresh()
        const bytes = noise("broken", 10_000)
        const blob = { mediaType: "application/octet-stream", digest: sha256(bytes), size: bytes.length }
        const content = Stream.concat(Stream.make(bytes.subarray(0, 5_000)), Stream.fail("the disk is gone" as const))
        assert.strictEqual(yield* Effect.flip(registry.putBlob(name, blob, content)), "the disk is gone")
        assert.isFalse(yield* registry.hasBlob(name, blob))
      })
    )

    it.effect("takes no manifest with holes, and none under a digest that is not its own", () =>
      Effect.gen(function* () {
        const registry = yield* Registry
        const name = yield* fresh()
        const sample = image("holes")
        assert.strictEqual(
          (yield* Effect.flip(registry.putManifest(name, sample.manifest)))._tag,
          "RegistryUnavailable"
        )
        assert.isFalse(yield* registry.has(name))
        yield* push(name, sample)
        const failure = yield* Effect.flip(registry.putManifest(at(name, image("another").digest), sample.manifest))
        assert.strictEqual(failure._tag, "DigestMismatch")
      })
    )

    it.effect("mirrors an image with all its platforms, and copies nothing twice", () =>
      Effect.gen(function* () {
        const registry = yield* Registry
        const name = yield* fresh()
        const [intel, arm] = [image("intel here"), image("arm here", { architecture: "arm64", flavour: "docker" })]
        for (const sample of [intel, arm]) yield* push({ ...name, tag: undefined, digest: sample.digest }, sample)
        const { digest } = yield* registry.putManifest(
          name,
          index([
            ["amd64", intel],
            ["arm64", arm]
          ])
        )
        const copy = yield* elsewhere({ ...name, tag: "copy" })
        const bytes = [...intel.blobs, ...arm.blobs].reduce((sum, [{ size }]) => sum + size, 0)
        assert.deepStrictEqual(yield* registry.mirror(name, copy), {
          digest,
          copiedBlobs: 6,
          copiedBytes: bytes,
          presentBlobs: 0
        })
        assert.strictEqual((yield* registry.resolve(copy)).digest, digest)
        assert.strictEqual((yield* registry.resolve(copy, arm64)).digest, arm.digest)
        for (const [descriptor, content] of [...intel.blobs, ...arm.blobs]) {
          assert.isTrue((yield* collected(registry.blob(copy, descriptor))).equals(content))
        }
        assert.deepStrictEqual(yield* registry.mirror(name, copy), {
          digest,
          copiedBlobs: 0,
          copiedBytes: 0,
          presentBlobs: 6
        })
      })
    )

    it.effect("mirrors nothing that is not there, and nothing else than what was asked for", () =>
      Effect.gen(function* () {
        const registry = yield* Registry
        const name = yield* fresh()
        const copy = yield* elsewhere(name)
        assert.strictEqual((yield* Effect.flip(registry.mirror(name, copy)))._tag, "ImageNotFound")
        yield* push(name, image("asked for"))
        const wrong = yield* Effect.flip(registry.mirror(name, at(copy, image("not asked for").digest)))
        assert.strictEqual(wrong._tag, "DigestMismatch")
        assert.isFalse(yield* registry.has(copy))
      })
    )
  })
