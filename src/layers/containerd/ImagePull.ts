/**
 * Brings what an image consists of to containerd: documents and layers into the content store, several at a time, and each layer
 * into a snapshot as soon as it is there. Only what is missing is fetched. What lies there has the labels by which it is kept.
 */
import { type Context, Effect, Fiber, Result, Schema, Semaphore, Stream } from "effect"
import { Buffer } from "node:buffer"
import { ImageNotFound } from "#domain/Failure"
import {
  choose,
  type Content,
  type Descriptor,
  type ImageConfig,
  isSamePlatform,
  printPlatform,
  read,
  readConfig
} from "#domain/ImageManifest"
import { at, type ImageReference, print } from "#domain/ImageReference"
import type { Registry } from "#services/Registry"
import type { ContainerdFailure } from "./ContainerdFailure.ts"
import * as ContentStore from "./ContentStore.ts"
import * as ImageLabels from "./ImageLabels.ts"
import { ImageUnusable } from "./ImageUnusable.ts"
import type { ContainerdImageSettings } from "./ImageSettings.ts"
import type * as Leases from "./Leases.ts"
import * as SharedWork from "./SharedWork.ts"
import * as Snapshotter from "./Snapshotter.ts"
import type { SnapshotterUnavailable } from "./SnapshotterUnavailable.ts"

type Source = Context.Service.Shape<typeof Registry>
/** What a registry may say. */
type Missed = Stream.Error<ReturnType<Source["blob"]>>
export type PullFailure = ContainerdFailure | Missed | ImageUnusable | SnapshotterUnavailable

/** Indexes within indexes. */
const nestingLimit = 3
/** Of manifests and configurations. */
const documentLimitBytes = 8 * 1_048_576

/** An image that containers can be made of. */
export interface UnpackedImage {
  /** Digest of its configuration: the same for the same content. */
  readonly digest: string
  readonly config: ImageConfig
  /** The snapshot that those of containers are prepared on; empty: the image has no files. */
  readonly chainId: string
}

const decodeLayers = Schema.decodeResult(
  Schema.fromJsonString(Schema.Struct({ rootfs: Schema.Struct({ diff_ids: Schema.Array(Schema.String) }) }))
)

export const make = Effect.fnUntraced(function* (
  { parallelLayers, platform, snapshotter, unpackLimitMs }: ContainerdImageSettings,
  leases: Effect.Success<ReturnType<typeof Leases.make>>
) {
  const store = yield* ContentStore.make
  const snapshots = yield* Snapshotter.make(snapshotter, unpackLimitMs, leases)
  const share = yield* SharedWork.make<void, ContainerdFailure | Missed>()

  const completing = (reference: ImageReference, source: Source | undefined) => {
    const absent = (digest: string) => new ImageNotFound({ reference: print(at(reference, digest)) })
    const unusable = (detail: string) => new ImageUnusable({ reference: print(reference), detail })
    const from = ImageLabels.source(reference)

    /** The lease holds it before it is there, so that nobody is in between. */
    const blob = Effect.fnUntraced(function* (lease: string, descriptor: Descriptor) {
      const { digest } = descriptor
      yield* leases.hold(lease, "content", digest)
      const fetch = Effect.gen(function* () {
        if ((yield* store.info(digest)) !== undefined) return
        if (source === undefined) return yield* absent(digest)
        yield* store.put(descriptor, from, (heldBytes) => source.blob(reference, descriptor, heldBytes))
      })
      yield* share(digest, fetch)
    })

    const readHere = Effect.fnUntraced(function* ({ digest, mediaType }: Descriptor) {
      const bytes = yield* store.read(digest, documentLimitBytes)
      if (bytes === undefined) return undefined
      const content = read(mediaType, bytes)
      return Result.isSuccess(content) ? content.success : yield* unusable(content.failure)
    })

    const document = Effect.fnUntraced(function* (lease: string, descriptor: Descriptor) {
      const { digest } = descriptor
      yield* leases.hold(lease, "content", digest)
      const here = yield* readHere(descriptor)
      if (here !== undefined) {
        yield* store.label(digest, ImageLabels.children(here))
        return here
      }
      if (source === undefined) return yield* absent(digest)
      const fetched = yield* source.manifest(at(reference, digest))
      const { bytes } = fetched
      const labels = { ...from, ...ImageLabels.children(fetched) }
      yield* store.put({ digest, size: bytes.length }, labels, (heldBytes) => Stream.make(bytes.subarray(heldBytes)))
      return fetched
    })

    const manifestFor = Effect.fnUntraced(function* (lease: string, target: Descriptor) {
      let found: Content = yield* document(lease, target)
      let isChosen = false
      for (let depth = 0; found.kind === "index"; depth++) {
        const chosen = choose(found.value, platform)
        if (chosen === undefined || depth === nestingLimit) {
          return yield* new ImageNotFound({ reference: print(reference), platform: printPlatform(platform) })
        }
        found = yield* document(lease, chosen)
        isChosen = chosen.platform !== undefined
      }
      return { value: found.value, isChosen }
    })

    const configOf = Effect.fnUntraced(function* (descriptor: Descriptor) {
      const bytes = (yield* store.read(descriptor.digest, documentLimitBytes)) ?? Buffer.alloc(0)
      const config = readConfig(bytes)
      const layers = decodeLayers(bytes.toString("utf8"))
      if (Result.isFailure(config)) return yield* unusable(config.failure)
      if (Result.isFailure(layers)) return yield* unusable(layers.failure.message)
      return { config: config.success, diffIds: layers.success.rootfs.diff_ids }
    })

    /** What an image is for of which no index says so, only its configuration tells. */
    const isForUs = ({ architecture = platform.architecture, os = platform.os, variant }: ImageConfig): boolean =>
      isSamePlatform({ os, architecture, ...(variant === undefined ? {} : { variant }) }, platform)

    return Effect.fnUntraced(function* (lease: string, target: Descriptor) {
      const { isChosen, value } = yield* manifestFor(lease, target)
      yield* blob(lease, value.config)
      const { config, diffIds } = yield* configOf(value.config)
      if (!isChosen && !isForUs(config)) {
        return yield* new ImageNotFound({ reference: print(reference), platform: printPlatform(platform) })
      }
      if (diffIds.length !== value.layers.length) {
        return yield* unusable(`it has ${value.layers.length} layers, and its configuration ${diffIds.length}`)
      }
      const chain = Snapshotter.chainIds(diffIds)
      const chainId = chain.at(-1) ?? ""
      const gate = Semaphore.makeUnsafe(parallelLayers)
      const downloads = yield* Effect.forEach(value.layers, (layer) =>
        Effect.forkScoped(gate.withPermit(blob(lease, layer)))
      )
      for (const [index, layer] of value.layers.entries()) {
        const [name = "", diffId = ""] = [chain[index], diffIds[index]]
        yield* leases.hold(lease, `snapshots/${snapshotter}`, name)
        const download = downloads[index]
        if (download !== undefined) yield* Fiber.join(download)
        yield* snapshots.unpack({ layer, diffId, parent: chain[index - 1] ?? "", chainId: name })
        yield* store.label(layer.digest, ImageLabels.uncompressed(diffId))
      }
      if (chainId !== "") yield* store.label(value.config.digest, ImageLabels.unpacked(snapshotter, chainId))
      return { digest: value.config.digest, config, chainId } satisfies UnpackedImage
    }, Effect.scoped)
  }

  return {
    /** Makes everything of an image be here; without a registry, of what is here already. The lease holds all of it. */
    completing,
    isUnpacked: ({ chainId }: UnpackedImage) => (chainId === "" ? Effect.succeed(true) : snapshots.has(chainId))
  }
})
