/**
 * Labels by which containerd's garbage collector finds what belongs to an image: whatever has no way to it from an image goes.
 * @see https://github.com/containerd/containerd/blob/v1.6.20/docs/garbage-collection.md
 */
import type { Content } from "#domain/ImageManifest"
import type { ImageReference } from "#domain/ImageReference"
import type { Labels } from "./ContentStore.ts"

const content = "containerd.io/gc.ref.content"

/** Where content came from, and can be had again. */
export const source = ({ host, repository }: ImageReference): Labels => ({
  [`containerd.io/distribution.source.${host}`]: repository
})

/** What a manifest, or an index, consists of. */
export const children = (of: Content): Labels => {
  const named = (kind: string, parts: ReadonlyArray<{ readonly digest: string }>) =>
    parts.map(({ digest }, at) => [`${content}.${kind}.${at}`, digest] as const)
  return of.kind === "index"
    ? Object.fromEntries(named("m", of.value.manifests))
    : { [`${content}.config`]: of.value.config.digest, ...Object.fromEntries(named("l", of.value.layers)) }
}

/** Of a configuration: the snapshot that containers of the image begin with. */
export const unpacked = (snapshotter: string, chainId: string): Labels => ({
  [`containerd.io/gc.ref.snapshot.${snapshotter}`]: chainId
})

/** Of a layer: what it is without compression. */
export const uncompressed = (diffId: string): Labels => ({ "containerd.io/uncompressed": diffId })
