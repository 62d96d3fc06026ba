/** Copies an image from one place to another: blobs first, the manifest that names them after, an index last. */
import { Effect } from "effect"
import { RegistryUnavailable } from "#domain/Failure"
import { type Descriptor, type ImageManifest, isForeign } from "#domain/ImageManifest"
import { at, type ImageReference, print } from "#domain/ImageReference"
import type { Mirrored } from "#services/Registry"
import type * as BlobDownload from "./BlobDownload.ts"
import type * as BlobUpload from "./BlobUpload.ts"
import { type Manifests, type Missed, mismatch } from "./Manifests.ts"
import type { RegistrySettings } from "./RegistrySettings.ts"

interface Parts {
  readonly manifests: Manifests
  readonly download: ReturnType<typeof BlobDownload.make>
  readonly upload: ReturnType<typeof BlobUpload.make>
}

interface Tally {
  copiedBlobs: number
  copiedBytes: number
  presentBlobs: number
  manifests: number
}

/** Each once, whatever they are named for; without what no registry holds. */
const blobsOf = ({ config, layers }: ImageManifest): ReadonlyArray<Descriptor> => [
  ...new Map(
    [config, ...layers].filter((blob) => !isForeign(blob)).map((blob) => [blob.digest, blob] as const)
  ).values()
]

export const make = (settings: RegistrySettings, { download, manifests, upload }: Parts) => {
  const copyBlob = Effect.fnUntraced(function* (
    from: ImageReference,
    to: ImageReference,
    blob: Descriptor,
    tally: Tally
  ) {
    // Which a registry may take over by itself, when it has both.
    const source = from.host === to.host && from.repository !== to.repository ? from.repository : undefined
    const outcome = yield* upload.put(to, blob, download(from, blob), source)
    if (outcome === "present") tally.presentBlobs += 1
    else {
      tally.copiedBlobs += 1
      tally.copiedBytes += blob.size
    }
  })

  const copy = (from: ImageReference, to: ImageReference, tally: Tally, depth: number): Effect.Effect<string, Missed> =>
    Effect.gen(function* () {
      tally.manifests += 1
      if (depth > settings.nestingLimit || tally.manifests > settings.manifestsLimit) {
        const detail = `${print(from)} has more than ${settings.nestingLimit} levels or ${settings.manifestsLimit} manifests`
        return yield* new RegistryUnavailable({ registry: from.host, detail })
      }
      const content = yield* manifests.get(from)
      const { digest } = content
      if (to.digest !== undefined && to.digest !== digest) return yield* mismatch(from, to.digest, digest)
      if (content.kind === "index") {
        yield* Effect.forEach(
          content.value.manifests,
          (child) => copy(at(from, child.digest), { ...at(to, child.digest), tag: undefined }, tally, depth + 1),
          { discard: true }
        )
      } else {
        yield* Effect.forEach(blobsOf(content.value), (blob) => copyBlob(from, to, blob, tally), {
          concurrency: settings.blobConcurrency,
          discard: true
        })
      }
      yield* manifests.put(to, content)
      return digest
    })

  return Effect.fnUntraced(function* (from: ImageReference, to: ImageReference): Effect.fn.Return<Mirrored, Missed> {
    const tally: Tally = { copiedBlobs: 0, copiedBytes: 0, presentBlobs: 0, manifests: 0 }
    const digest = yield* copy(from, to, tally, 0)
    const { copiedBlobs, copiedBytes, presentBlobs } = tally
    return { digest, copiedBlobs, copiedBytes, presentBlobs }
  })
}
