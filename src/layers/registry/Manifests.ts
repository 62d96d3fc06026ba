/**
 * Manifests and indexes of a registry. They are small, are kept whole, and are nobody's until their digest is right.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pulling-manifests
 */
import { Effect, Option, Result } from "effect"
import { DigestMismatch, ImageNotFound, RegistryUnavailable } from "#domain/Failure"
import { type Content, type Descriptor, mediaTypes, read } from "#domain/ImageManifest"
import { type ImageReference, isDigest, print, target } from "#domain/ImageReference"
import { digestLike, sha256 } from "./Digests.ts"
import * as Document from "./Document.ts"
import type { RegistryCalls, Refused } from "./RegistryCall.ts"
import type { RegistrySettings } from "./RegistrySettings.ts"

export type Missed = Refused | ImageNotFound | DigestMismatch

export interface Manifests {
  /** What the registry says of it, unseen. */
  readonly head: (reference: ImageReference) => Effect.Effect<Option.Option<Descriptor>, Refused | DigestMismatch>
  readonly get: (reference: ImageReference) => Effect.Effect<Content & { readonly digest: string }, Missed>
  readonly put: (reference: ImageReference, content: Content) => Effect.Effect<Descriptor, Refused | DigestMismatch>
}

const accept = [...mediaTypes.index, ...mediaTypes.manifest].join(", ")

const pathOf = ({ repository }: ImageReference, name: string): string => `/v2/${repository}/manifests/${name}`

/** Without what is said of the character set. */
const mediaTypeOf = (header: string | undefined): string => (header ?? "").split(";", 1)[0]?.trim() ?? ""

export const mismatch = (reference: ImageReference, expected: string, actual: string) =>
  new DigestMismatch({ reference: print(reference), expected, actual })

export const make = (settings: RegistrySettings, { ask, unexpected }: RegistryCalls): Manifests => {
  const bounds = { bytes: settings.manifestLimitBytes, ms: settings.documentLimitMs }

  const looking = (reference: ImageReference, method: "GET" | "HEAD") =>
    ask({
      access: { host: reference.host, repository: reference.repository, actions: "pull" },
      method,
      to: pathOf(reference, target(reference)),
      headers: { accept },
      isRepeatable: true
    })

  /** What the registry says the digest is, against what we know it to be. */
  const agreed = (reference: ImageReference, told: string | undefined, known: string | undefined) =>
    told !== undefined && known !== undefined && told !== known
      ? Effect.fail(mismatch(reference, known, told))
      : Effect.succeed(known ?? told)

  return {
    head: Effect.fnUntraced(function* (reference) {
      const answer = yield* looking(reference, "HEAD")
      if (answer.status === 404) return Option.none()
      if (answer.status !== 200) return yield* yield* unexpected(reference.host, answer)
      const digest = yield* agreed(reference, answer.header("docker-content-digest"), reference.digest)
      const size = Number(answer.header("content-length"))
      if (digest === undefined || !isDigest(digest) || !Number.isSafeInteger(size)) {
        const detail = `it does not tell digest and size of ${print(reference)}`
        return yield* new RegistryUnavailable({ registry: reference.host, detail })
      }
      return Option.some({ mediaType: mediaTypeOf(answer.header("content-type")), digest, size })
    }, Effect.scoped),

    get: Effect.fnUntraced(function* (reference) {
      const registry = reference.host
      const answer = yield* looking(reference, "GET")
      if (answer.status === 404) return yield* new ImageNotFound({ reference: print(reference) })
      if (answer.status !== 200) return yield* yield* unexpected(registry, answer)
      const unusable = (detail: string) =>
        new RegistryUnavailable({ registry, detail: `${print(reference)}: ${detail}` })
      const bytes = yield* Document.read(answer, bounds).pipe(Effect.mapError(({ detail }) => unusable(detail)))
      const told = answer.header("docker-content-digest")
      const expected = reference.digest ?? (told !== undefined && isDigest(told) ? told : sha256(bytes))
      const digest = digestLike(expected, bytes)
      if (digest !== expected) return yield* mismatch(reference, expected, digest)
      const content = read(mediaTypeOf(answer.header("content-type")), bytes)
      return Result.isSuccess(content) ? { ...content.success, digest } : yield* unusable(content.failure)
    }, Effect.scoped),

    put: Effect.fnUntraced(function* (reference, { bytes, mediaType }) {
      const digest = digestLike(reference.digest ?? "sha256:", bytes)
      yield* agreed(reference, digest, reference.digest)
      const answer = yield* ask({
        access: { host: reference.host, repository: reference.repository, actions: "pull,push" },
        method: "PUT",
        to: pathOf(reference, reference.tag ?? target(reference)),
        headers: { "content-type": mediaType },
        body: bytes,
        isRepeatable: true
      })
      if (answer.status !== 201) return yield* yield* unexpected(reference.host, answer)
      const told = answer.header("docker-content-digest")
      if (told?.startsWith(digest.slice(0, digest.indexOf(":") + 1)) === true) yield* agreed(reference, told, digest)
      return { mediaType, digest, size: bytes.length }
    }, Effect.scoped)
  }
}
