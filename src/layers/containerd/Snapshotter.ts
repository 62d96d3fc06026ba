/**
 * Layers of images as snapshots, each on the one below it. A snapshot is named after all that it consists of, so that images
 * share what they have in common.
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.0/config.md#layer-chainid
 */
import { status } from "@grpc/grpc-js"
import { Effect, Exit } from "effect"
import { createHash, randomUUID } from "node:crypto"
import { DigestMismatch } from "#domain/Failure"
import type { Descriptor } from "#domain/ImageManifest"
import { ContainerdApi } from "./ContainerdApi.ts"
import { type ContainerdFailure, hasCode } from "./ContainerdFailure.ts"
import { Diff } from "./generated/containerd/diff_pb.ts"
import { Snapshots } from "./generated/containerd/snapshots_pb.ts"
import type * as Leases from "./Leases.ts"
import * as SharedWork from "./SharedWork.ts"
import * as SnapshotterCheck from "./SnapshotterCheck.ts"
import type { SnapshotterUnavailable } from "./SnapshotterUnavailable.ts"

/** A layer, and where it belongs. */
export interface StackedLayer {
  readonly layer: Descriptor
  /** Digest of the layer without compression. */
  readonly diffId: string
  /** Chain id of all that is below; empty: nothing is. */
  readonly parent: string
  readonly chainId: string
}

/** Docker's word for layers packed by zstd, which containerd knows from 2.0 on, and the word that all know. */
const dockersZstd = "application/vnd.docker.image.rootfs.diff.tar.zstd"
const zstd = "application/vnd.oci.image.layer.v1.tar+zstd"

const packedAs = ({ mediaType }: Descriptor): string => (mediaType === dockersZstd ? zstd : mediaType)

const sha256 = (text: string): string => `sha256:${createHash("sha256").update(text).digest("hex")}`

/** What the snapshots of an image are called, from the lowest layer to the highest. */
export const chainIds = (diffIds: ReadonlyArray<string>): ReadonlyArray<string> => {
  let parent: string | undefined
  return diffIds.map((diffId) => (parent = parent === undefined ? diffId : sha256(`${parent} ${diffId}`)))
}

export const make = Effect.fnUntraced(function* (
  snapshotter: string,
  unpackLimitMs: number,
  { lease }: Effect.Success<ReturnType<typeof Leases.make>>
) {
  const api = yield* ContainerdApi
  const { call } = api
  const share = yield* SharedWork.make<void, ContainerdFailure | DigestMismatch | SnapshotterUnavailable>()
  const explaining = SnapshotterCheck.explaining(snapshotter)

  const has = (key: string): Effect.Effect<boolean, ContainerdFailure | SnapshotterUnavailable> =>
    call(Snapshots.method.stat, { snapshotter, key }).pipe(
      Effect.as(true),
      Effect.catchIf(hasCode(status.NOT_FOUND), () => Effect.succeed(false)),
      explaining,
      Effect.provideService(ContainerdApi, api)
    )

  const extract = Effect.fnUntraced(function* ({ chainId, diffId, layer, parent }: StackedLayer) {
    if (yield* has(chainId)) return
    const held = yield* lease
    const key = `extract-${randomUUID()} ${chainId}`
    const remove = call(Snapshots.method.remove, { snapshotter, key })
    const { mounts } = yield* Effect.acquireRelease(
      call(Snapshots.method.prepare, { snapshotter, key, parent }, { lease: held }),
      // Without its lease it goes with the next collection.
      (_, exit) => (Exit.isSuccess(exit) ? Effect.void : Effect.ignore(remove, { log: "Debug" }))
    )
    const { digest, size } = layer
    const diff = { digest, mediaType: packedAs(layer), size: BigInt(size) }
    const { applied } = yield* call(
      Diff.method.apply,
      { diff, mounts },
      { lease: held, limitMs: unpackLimitMs, repeatable: false }
    )
    if (applied?.digest !== diffId) {
      const actual = applied?.digest ?? "nothing"
      return yield* new DigestMismatch({ reference: `layer ${digest}`, expected: diffId, actual })
    }
    yield* Effect.catchIf(
      call(Snapshots.method.commit, { snapshotter, name: chainId, key }, { lease: held }),
      hasCode(status.ALREADY_EXISTS),
      // Somebody who is not us was faster.
      () => remove
    )
  })

  return {
    has,
    /** The snapshot of a layer is there when this returns, and stays as long as something holds it. */
    unpack: (stacked: StackedLayer) => share(stacked.chainId, extract(stacked))
  }
})
