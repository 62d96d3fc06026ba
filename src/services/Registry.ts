/** Where images lie. */
import { Context, type Effect, type Stream } from "effect"
import type { DigestMismatch, ImageNotFound, RegistryUnauthorized, RegistryUnavailable } from "#domain/Failure"
import type { Content, Descriptor, ImageConfig, Platform } from "#domain/ImageManifest"
import type { ImageReference } from "#domain/ImageReference"

type Refused = RegistryUnauthorized | RegistryUnavailable
type Missed = Refused | ImageNotFound | DigestMismatch

/** What became of the blobs and manifests of an image. */
export interface Mirrored {
  /** Of the manifest or the index: the same here as there. */
  readonly digest: string
  readonly copiedBlobs: number
  readonly copiedBytes: number
  /** Were there already, or came from another repository of the same registry. */
  readonly presentBlobs: number
}

/**
 * Images of registries that speak the OCI distribution protocol. Whatever comes from here under a digest has that digest. Of a
 * reference with a digest the tag is not asked for; one with neither means `latest`.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md
 */
export class Registry extends Context.Service<
  Registry,
  {
    /** A registry answers at this host, and lets us in. */
    readonly ping: (host: string) => Effect.Effect<void, Refused>
    /** Asks for the head only. */
    readonly has: (reference: ImageReference) => Effect.Effect<boolean, Refused | DigestMismatch>
    /**
     * What the tag stands for now. With a platform: the manifest for it, wherever the index of the image has it, and
     * `ImageNotFound` when the image is for others only.
     */
    readonly resolve: (reference: ImageReference, platform?: Platform) => Effect.Effect<Descriptor, Missed>
    readonly manifest: (reference: ImageReference) => Effect.Effect<Content, Missed>
    /** Of an image for this platform. */
    readonly config: (reference: ImageReference, platform: Platform) => Effect.Effect<ImageConfig, Missed>
    /**
     * Of the repository of `reference`. Its bytes can be believed once the stream has ended well, not before. Whoever holds the
     * first `heldBytes` of an earlier attempt gets the others only, and has to see for themselves that the whole has the digest.
     */
    readonly blob: (
      reference: ImageReference,
      descriptor: Descriptor,
      heldBytes?: number
    ) => Stream.Stream<Uint8Array, Missed>
    readonly hasBlob: (reference: ImageReference, descriptor: Descriptor) => Effect.Effect<boolean, Refused>
    /** The repository holds it when this returns. Takes no byte of the content when it was there before. */
    readonly putBlob: <E>(
      reference: ImageReference,
      descriptor: Descriptor,
      content: Stream.Stream<Uint8Array, E>
    ) => Effect.Effect<"copied" | "present", E | Refused | DigestMismatch>
    /** Under the tag, or the digest, of `reference`. The registry must hold what it names. */
    readonly putManifest: (
      reference: ImageReference,
      content: Content
    ) => Effect.Effect<Descriptor, Refused | DigestMismatch>
    /**
     * The image with everything it consists of, all platforms included, under the reference `to`. What is there is not copied
     * again; the manifest comes last, so that `to` never names an image with holes.
     */
    readonly mirror: (from: ImageReference, to: ImageReference) => Effect.Effect<Mirrored, Missed>
  }
>()("esb/services/Registry") {}
