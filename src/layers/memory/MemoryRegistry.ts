/** Registries for tests: any number of hosts, known only to this process. A host that is not among them does not answer. */
import { Effect, Layer, Option, Result, Stream } from "effect"
import { createHash } from "node:crypto"
import { DigestMismatch, ImageNotFound, RegistryUnavailable } from "#domain/Failure"
import {
  choose,
  type Content,
  type Descriptor,
  type ImageConfig,
  isForeign,
  isSamePlatform,
  type Platform,
  printPlatform,
  readConfig
} from "#domain/ImageManifest"
import { at, type ImageReference, print, target } from "#domain/ImageReference"
import { type Mirrored, Registry } from "#services/Registry"

interface Repository {
  /** By digest. */
  readonly manifests: Map<string, Content>
  readonly blobs: Map<string, Uint8Array>
  readonly tags: Map<string, string>
}

const digestOf = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`

const mismatch = (reference: ImageReference, expected: string, actual: string) =>
  new DigestMismatch({ reference: print(reference), expected, actual })

const notFound = (reference: ImageReference, platform?: Platform) =>
  new ImageNotFound({
    reference: print(reference),
    ...(platform === undefined ? {} : { platform: printPlatform(platform) })
  })

export const layer = (hosts: ReadonlyArray<string>): Layer.Layer<Registry> =>
  Layer.sync(Registry, () => {
    const repositories = new Map<string, Repository>()

    const ping = (host: string) =>
      hosts.includes(host)
        ? Effect.void
        : Effect.fail(new RegistryUnavailable({ registry: host, detail: "there is no such host" }))

    const open = ({ host, repository }: ImageReference) =>
      Effect.map(ping(host), (): Repository => {
        const name = `${host}/${repository}`
        const known = repositories.get(name) ?? { manifests: new Map(), blobs: new Map(), tags: new Map() }
        repositories.set(name, known)
        return known
      })

    const find = Effect.fnUntraced(function* (reference: ImageReference) {
      const { manifests, tags } = yield* open(reference)
      const digest = reference.digest ?? tags.get(target(reference))
      const content = digest === undefined ? undefined : manifests.get(digest)
      return digest === undefined || content === undefined ? Option.none() : Option.some({ content, digest })
    })

    const get = Effect.fnUntraced(function* (reference: ImageReference) {
      const found = yield* find(reference)
      return Option.isSome(found) ? found.value : yield* notFound(reference)
    })

    const blob = (reference: ImageReference, { digest, size }: Descriptor, heldBytes = 0) =>
      Stream.unwrap(
        Effect.map(open(reference), ({ blobs }): Stream.Stream<Uint8Array, ImageNotFound | DigestMismatch> => {
          const bytes = blobs.get(digest)
          if (bytes === undefined) return Stream.fail(notFound({ ...reference, tag: undefined, digest }))
          return bytes.length === size
            ? Stream.make(bytes.subarray(heldBytes))
            : Stream.fail(mismatch(reference, digest, `${bytes.length} bytes`))
        })
      )

    const hasBlob = (reference: ImageReference, { digest }: Descriptor) =>
      Effect.map(open(reference), ({ blobs }) => blobs.has(digest))

    const putBlob = Effect.fnUntraced(function* <E>(
      reference: ImageReference,
      { digest }: Descriptor,
      content: Stream.Stream<Uint8Array, E>
    ) {
      const { blobs } = yield* open(reference)
      if (blobs.has(digest)) return "present" as const
      const bytes = Buffer.concat([...(yield* Stream.runCollect(content))])
      if (digestOf(bytes) !== digest) return yield* mismatch(reference, digest, digestOf(bytes))
      blobs.set(digest, bytes)
      return "copied" as const
    })

    const putManifest = Effect.fnUntraced(function* (reference: ImageReference, content: Content) {
      const { blobs, manifests, tags } = yield* open(reference)
      const digest = digestOf(content.bytes)
      if (reference.digest !== undefined && reference.digest !== digest) {
        return yield* mismatch(reference, reference.digest, digest)
      }
      const parts = content.kind === "index" ? content.value.manifests : [content.value.config, ...content.value.layers]
      const hole = parts.find((part) => !isForeign(part) && !manifests.has(part.digest) && !blobs.has(part.digest))
      if (hole !== undefined) {
        return yield* new RegistryUnavailable({ registry: reference.host, detail: `${hole.digest} is not there` })
      }
      manifests.set(digest, content)
      const tag = reference.tag ?? target(reference)
      if (tag !== digest) tags.set(tag, digest)
      return { mediaType: content.mediaType, digest, size: content.bytes.length }
    })

    const forPlatform = Effect.fnUntraced(function* (reference: ImageReference, platform: Platform) {
      let { content, digest } = yield* get(reference)
      while (content.kind === "index") {
        const chosen = choose(content.value, platform)
        if (chosen === undefined) return yield* notFound(reference, platform)
        ;({ content, digest } = yield* get(at(reference, chosen.digest)))
      }
      const pieces = yield* Stream.runCollect(blob(reference, content.value.config))
      const read = readConfig(Buffer.concat([...pieces]))
      if (Result.isFailure(read)) {
        return yield* new RegistryUnavailable({ registry: reference.host, detail: read.failure })
      }
      const { architecture, os } = { ...platform, ...read.success }
      if (!isSamePlatform({ ...platform, architecture, os }, platform)) return yield* notFound(reference, platform)
      return { content, digest, config: read.success as ImageConfig }
    })

    const mirror = Effect.fnUntraced(function* (
      from: ImageReference,
      to: ImageReference
    ): Effect.fn.Return<Mirrored, ImageNotFound | RegistryUnavailable | DigestMismatch> {
      const { content, digest } = yield* get(from)
      if (to.digest !== undefined && to.digest !== digest) return yield* mismatch(from, to.digest, digest)
      const tally = { copiedBlobs: 0, copiedBytes: 0, presentBlobs: 0 }
      if (content.kind === "index") {
        for (const child of content.value.manifests) {
          const inner = { ...at(to, child.digest), tag: undefined }
          const { copiedBlobs, copiedBytes, presentBlobs } = yield* mirror(at(from, child.digest), inner)
          tally.copiedBlobs += copiedBlobs
          tally.copiedBytes += copiedBytes
          tally.presentBlobs += presentBlobs
        }
      } else {
        const { config, layers } = content.value
        const blobs = new Map([config, ...layers].map((part) => [part.digest, part]))
        for (const part of blobs.values()) {
          if (isForeign(part)) continue
          if ((yield* putBlob(to, part, blob(from, part))) === "present") tally.presentBlobs += 1
          else {
            tally.copiedBlobs += 1
            tally.copiedBytes += part.size
          }
        }
      }
      yield* putManifest(to, content)
      return { digest, ...tally }
    })

    return {
      ping,
      has: (reference) => Effect.map(find(reference), Option.isSome),
      resolve: Effect.fnUntraced(function* (reference, platform) {
        const found = platform === undefined ? yield* get(reference) : yield* forPlatform(reference, platform)
        const { bytes, mediaType } = found.content
        return { mediaType, digest: found.digest, size: bytes.length, ...(platform === undefined ? {} : { platform }) }
      }),
      manifest: (reference) => Effect.map(get(reference), ({ content }) => content),
      config: (reference, platform) => Effect.map(forPlatform(reference, platform), ({ config }) => config),
      blob,
      hasBlob,
      putBlob,
      putManifest,
      mirror
    }
  })
