/**
 * Content on its way into a repository: taken over from another repository of the same registry, else sent in one piece, else in
 * several. An upload that does not end well is called off.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pushing-blobs
 */
import { Effect, Stream } from "effect"
import { Buffer } from "node:buffer"
import { type DigestMismatch, RegistryUnavailable } from "#domain/Failure"
import type { Descriptor } from "#domain/ImageManifest"
import type { ImageReference } from "#domain/ImageReference"
import type { Access } from "./Authorization.ts"
import { pathOf } from "./BlobDownload.ts"
import { finish, hashLike } from "./Digests.ts"
import { mismatch } from "./Manifests.ts"
import type { Refused, RegistryCalls } from "./RegistryCall.ts"
import type { Answer } from "./RegistryHttp.ts"
import type { RegistrySettings } from "./RegistrySettings.ts"

const octets = { "content-type": "application/octet-stream" }

/** An upload that was begun, and where it goes on. */
interface Session {
  readonly access: Access
  url: URL
}

const withDigest = (url: URL, digest: string): URL => {
  const complete = new URL(url)
  // Not through `searchParams`, which would spell anew what the registry wrote there for itself.
  complete.search = `${url.search === "" ? "?" : `${url.search}&`}digest=${encodeURIComponent(digest)}`
  return complete
}

export const make = (settings: RegistrySettings, { ask, unexpected }: RegistryCalls) => {
  const look = Effect.fnUntraced(function* (
    reference: ImageReference,
    descriptor: Descriptor,
    actions: "pull" | "pull,push"
  ) {
    const answer = yield* ask({
      access: { host: reference.host, repository: reference.repository, actions },
      method: "HEAD",
      to: pathOf(reference, descriptor),
      isRepeatable: true
    })
    if (answer.status === 200) return true
    return answer.status === 404 ? false : yield* yield* unexpected(reference.host, answer)
  }, Effect.scoped)

  /** Where the registry wants the next part. */
  const nextOf = Effect.fnUntraced(function* (host: string, answer: Answer) {
    const location = answer.header("location")
    if (location !== undefined && URL.canParse(location, answer.url.href)) return new URL(location, answer.url)
    return yield* new RegistryUnavailable({ registry: host, detail: "it does not say where an upload goes on" })
  })

  /** `undefined` when the registry had the blob in the repository `source`, and took it from there. */
  const begin = Effect.fnUntraced(function* (
    { host, repository }: ImageReference,
    digest: string,
    source: string | undefined
  ) {
    const access: Access = { host, repository, actions: "pull,push", source }
    const mount = source === undefined ? "" : `?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(source)}`
    const to = `/v2/${repository}/blobs/uploads/${mount}`
    const answer = yield* ask({ access, method: "POST", to, isRepeatable: false })
    if (answer.status === 201 && source !== undefined) return undefined
    if (answer.status !== 202) return yield* yield* unexpected(host, answer)
    return { access: { host, repository, actions: "pull,push" }, url: yield* nextOf(host, answer) } satisfies Session
  }, Effect.scoped)

  const complete = Effect.fnUntraced(function* ({ access, url }: Session, digest: string, body: Uint8Array) {
    const to = withDigest(url, digest)
    const answer = yield* ask({ access, method: "PUT", to, headers: octets, body, isRepeatable: false })
    if (answer.status !== 201) return yield* yield* unexpected(access.host, answer)
  }, Effect.scoped)

  const patch = Effect.fnUntraced(function* (session: Session, offset: number, body: Uint8Array) {
    const headers = { ...octets, "content-range": `${offset}-${offset + body.length - 1}` }
    const answer = yield* ask({ ...session, method: "PATCH", to: session.url, headers, body, isRepeatable: false })
    if (answer.status !== 202) return yield* yield* unexpected(session.access.host, answer)
    session.url = yield* nextOf(session.access.host, answer)
  }, Effect.scoped)

  /** The registry forgets unfinished uploads by itself some day, so that nothing hangs on whether it heard this. */
  const callOff = ({ access, url }: Session): Effect.Effect<void> =>
    ask({ access, method: "DELETE", to: url, isRepeatable: false }).pipe(
      Effect.scoped,
      Effect.timeout(settings.callOffLimitMs),
      Effect.ignore
    )

  /** Holds no more than one piece at a time; nothing is complete before its digest was seen to be right. */
  const send = <E>(
    reference: ImageReference,
    { digest, size }: Descriptor,
    content: Stream.Stream<Uint8Array, E>,
    session: Session
  ): Effect.Effect<void, E | Refused | DigestMismatch> =>
    Effect.gen(function* () {
      const hash = hashLike(digest)
      let pieces: Array<Uint8Array> = []
      let held = 0
      let sent = 0
      const flush = Effect.suspend(() => {
        const body = Buffer.concat(pieces, held)
        const offset = sent
        sent += held
        pieces = []
        held = 0
        return patch(session, offset, body)
      })
      yield* Stream.runForEach(content, (piece): Effect.Effect<void, Refused | DigestMismatch> => {
        if (sent + held + piece.length > size)
          return Effect.fail(mismatch(reference, digest, `more than ${size} bytes`))
        hash.update(piece)
        pieces.push(piece)
        held += piece.length
        return held >= settings.chunkBytes && sent + held < size ? flush : Effect.void
      })
      const actual = finish(hash, digest)
      if (sent + held !== size) return yield* mismatch(reference, digest, `only ${sent + held} bytes`)
      if (actual !== digest) return yield* mismatch(reference, digest, actual)
      if (sent > 0 && held > 0) yield* flush
      yield* complete(session, digest, Buffer.concat(pieces, held))
    })

  const put = Effect.fnUntraced(function* <E>(
    reference: ImageReference,
    descriptor: Descriptor,
    content: Stream.Stream<Uint8Array, E>,
    source?: string
  ): Effect.fn.Return<"copied" | "present", E | Refused | DigestMismatch> {
    if (yield* look(reference, descriptor, "pull,push")) return "present"
    const session = yield* begin(reference, descriptor.digest, source)
    if (session === undefined) return "present"
    yield* send(reference, descriptor, content, session).pipe(Effect.onError(() => callOff(session)))
    return "copied"
  })

  return { has: (reference: ImageReference, descriptor: Descriptor) => look(reference, descriptor, "pull"), put }
}
