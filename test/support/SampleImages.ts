/** Small images, complete with digests, that no tool has to build. Equal names give equal images. */
import { Effect, Result, Stream } from "effect"
import { createHash } from "node:crypto"
import { type Content, type Descriptor, mediaTypes, read } from "#domain/ImageManifest"
import { type ImageReference, parse } from "#domain/ImageReference"
import { Registry } from "#services/Registry"

export const sha256 = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`

export const reference = (text: string): ImageReference => Result.getOrThrow(parse(text))

export interface SampleImage {
  readonly manifest: Content
  readonly digest: string
  readonly config: Descriptor
  readonly layers: ReadonlyArray<Descriptor>
  readonly blobs: ReadonlyArray<readonly [Descriptor, Uint8Array]>
}

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

const described = (mediaType: string, bytes: Uint8Array): Descriptor => ({
  mediaType,
  digest: sha256(bytes),
  size: bytes.length
})

/** Bytes that look random, and are the same for the same seed. */
export const noise = (seed: string, length: number): Uint8Array =>
  createHash("shake256", { outputLength: length }).update(seed).digest()

const flavours = {
  oci: {
    manifest: mediaTypes.manifest[1],
    index: mediaTypes.index[1],
    config: "application/vnd.oci.image.config.v1+json",
    layer: "application/vnd.oci.image.layer.v1.tar+gzip"
  },
  docker: {
    manifest: mediaTypes.manifest[0],
    index: mediaTypes.index[0],
    config: "application/vnd.docker.container.image.v1+json",
    layer: "application/vnd.docker.image.rootfs.diff.tar.gzip"
  }
}
export type Flavour = keyof typeof flavours

const contentOf = (mediaType: string, value: unknown): Content => Result.getOrThrow(read(mediaType, json(value)))

export const image = (
  name: string,
  { architecture = "amd64", flavour = "oci" as Flavour, layerBytes = [1_000, 20_000] } = {}
): SampleImage => {
  const types = flavours[flavour]
  const configBytes = json({ os: "linux", architecture, config: { Entrypoint: ["/run"], Env: [`NAME=${name}`] } })
  const config = described(types.config, configBytes)
  const contents = layerBytes.map((length, index) => noise(`${name} ${index}`, length))
  const layers = contents.map((bytes) => described(types.layer, bytes))
  const manifest = contentOf(types.manifest, { schemaVersion: 2, mediaType: types.manifest, config, layers })
  const blobs = [
    [config, configBytes] as const,
    ...layers.map((layer, at) => [layer, contents[at] ?? json("")] as const)
  ]
  return { manifest, digest: sha256(manifest.bytes), config, layers, blobs }
}

/** One name for images of several platforms; `undefined`: it does not say which. */
export const index = (
  images: ReadonlyArray<readonly [architecture: string | undefined, SampleImage]>,
  flavour: Flavour = "oci"
) =>
  contentOf(flavours[flavour].index, {
    schemaVersion: 2,
    mediaType: flavours[flavour].index,
    manifests: images.map(([architecture, { manifest }]) => ({
      ...described(manifest.mediaType, manifest.bytes),
      ...(architecture === undefined ? {} : { platform: { os: "linux", architecture } })
    }))
  })

/** With everything that it consists of. */
export const push = Effect.fnUntraced(function* (to: ImageReference, { blobs, manifest }: SampleImage) {
  const registry = yield* Registry
  yield* Effect.forEach(blobs, ([descriptor, bytes]) => registry.putBlob(to, descriptor, Stream.make(bytes)))
  return yield* registry.putManifest(to, manifest)
})
