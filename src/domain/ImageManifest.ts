/**
 * What registries say images are made of: a manifest names a configuration and layers, an index names a manifest for every
 * platform. Docker's spelling and OCI's are the same but for their media types.
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.0/manifest.md
 */
import { Result, Schema } from "effect"
import { isDigest } from "./ImageReference.ts"

const Digest = Schema.String.check(Schema.makeFilter(isDigest, { expected: "a digest" }))

/** Which machines an image is for, in Go's words: `linux`, `amd64`, `v8`. */
export const Platform = Schema.Struct({
  os: Schema.String,
  architecture: Schema.String,
  variant: Schema.optionalKey(Schema.String)
})
export type Platform = typeof Platform.Type

/** Content that is held elsewhere, named by its digest. */
export const Descriptor = Schema.Struct({
  mediaType: Schema.String,
  digest: Digest,
  /** Bytes. */
  size: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
  platform: Schema.optionalKey(Platform)
})
export type Descriptor = typeof Descriptor.Type

/** Docker's media type, and OCI's. */
export const mediaTypes = {
  manifest: ["application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json"],
  index: ["application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json"]
} as const

const MediaType = (known: ReadonlyArray<string>) =>
  Schema.optionalKey(Schema.String.check(Schema.makeFilter((type) => known.includes(type), { expected: known.join() })))

export const ImageManifest = Schema.Struct({
  schemaVersion: Schema.Literal(2),
  mediaType: MediaType(mediaTypes.manifest),
  config: Descriptor,
  layers: Schema.Array(Descriptor)
})
export type ImageManifest = typeof ImageManifest.Type

export const ImageIndex = Schema.Struct({
  schemaVersion: Schema.Literal(2),
  mediaType: MediaType(mediaTypes.index),
  manifests: Schema.Array(Descriptor)
})
export type ImageIndex = typeof ImageIndex.Type

/** What a container of an image starts with, and what the image was made for. */
export const ImageConfig = Schema.Struct({
  os: Schema.optionalKey(Schema.String),
  architecture: Schema.optionalKey(Schema.String),
  variant: Schema.optionalKey(Schema.String),
  config: Schema.optionalKey(
    Schema.NullOr(
      Schema.Struct({
        Entrypoint: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.String))),
        Cmd: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.String))),
        Env: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.String))),
        User: Schema.optionalKey(Schema.String),
        WorkingDir: Schema.optionalKey(Schema.String),
        Labels: Schema.optionalKey(Schema.NullOr(Schema.Record(Schema.String, Schema.String)))
      })
    )
  )
})
export type ImageConfig = typeof ImageConfig.Type

/** A manifest or an index, with the bytes that have its digest. */
export type Content =
  | { readonly kind: "manifest"; readonly mediaType: string; readonly bytes: Uint8Array; readonly value: ImageManifest }
  | { readonly kind: "index"; readonly mediaType: string; readonly bytes: Uint8Array; readonly value: ImageIndex }

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

const decodeManifest = Schema.decodeResult(Schema.fromJsonString(ImageManifest))
const decodeIndex = Schema.decodeResult(Schema.fromJsonString(ImageIndex))
const decodeConfig = Schema.decodeResult(Schema.fromJsonString(ImageConfig))

const includes = (known: ReadonlyArray<string>, mediaType: string): boolean => known.includes(mediaType)

/** Content under the media type that it was announced with. Fails with what is wrong, in words. */
export const read = (mediaType: string, bytes: Uint8Array): Result.Result<Content, string> => {
  if (includes(mediaTypes.manifest, mediaType)) {
    return decodeManifest(text(bytes)).pipe(
      Result.mapError(({ message }) => message),
      Result.map((value) => ({ kind: "manifest", mediaType, bytes, value }))
    )
  }
  if (includes(mediaTypes.index, mediaType)) {
    return decodeIndex(text(bytes)).pipe(
      Result.mapError(({ message }) => message),
      Result.map((value) => ({ kind: "index", mediaType, bytes, value }))
    )
  }
  return Result.fail(`manifests of the kind ${JSON.stringify(mediaType)} are not understood`)
}

export const readConfig = (bytes: Uint8Array): Result.Result<ImageConfig, string> =>
  Result.mapError(decodeConfig(text(bytes)), ({ message }) => message)

/** The variant that is meant where none is told. */
const usualVariants: Readonly<Record<string, string>> = { arm: "v7", arm64: "v8" }

const variantOf = ({ architecture, variant }: Platform): string => variant || (usualVariants[architecture] ?? "")

export const isSamePlatform = (one: Platform, other: Platform): boolean =>
  one.os === other.os && one.architecture === other.architecture && variantOf(one) === variantOf(other)

/**
 * The manifest of a platform, or the first of which the index does not say whom it is for: its configuration does. `undefined`
 * when all are for others.
 */
export const choose = ({ manifests }: ImageIndex, wanted: Platform): Descriptor | undefined =>
  manifests.find(({ platform }) => platform !== undefined && isSamePlatform(platform, wanted)) ??
  manifests.find(({ platform }) => platform === undefined)

/** `linux/arm64/v8` */
export const printPlatform = ({ architecture, os, variant }: Platform): string =>
  [os, architecture, ...(variant === undefined ? [] : [variant])].join("/")

/** Layers that are fetched from their makers, never from a registry, and which no registry takes. */
export const isForeign = ({ mediaType }: Descriptor): boolean => /nondistributable|\.foreign\./.test(mediaType)
