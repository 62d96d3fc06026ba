/**
 * Content of a repository, piece by piece. What was cut off goes on where it ended; what is not what its descriptor says ends in
 * a failure, and never takes more than was announced.
 */
import { Effect, Stream } from "effect"
import { Buffer } from "node:buffer"
import { ImageNotFound, RegistryUnavailable } from "#domain/Failure"
import type { Descriptor } from "#domain/ImageManifest"
import { type ImageReference, print } from "#domain/ImageReference"
import { finish, hashLike } from "./Digests.ts"
import { type Missed, mismatch } from "./Manifests.ts"
import type { RegistryCalls } from "./RegistryCall.ts"
import { type Answer, Unanswered } from "./RegistryHttp.ts"
import type { RegistrySettings } from "./RegistrySettings.ts"

export const pathOf = ({ repository }: ImageReference, { digest }: Descriptor): string =>
  `/v2/${repository}/blobs/${digest}`

/** `bytes 100-199/200` begins at 100. */
const startOf = (answer: Answer): number =>
  answer.status === 206 ? Number(/^bytes (\d+)-/.exec(answer.header("content-range") ?? "")?.[1]) : 0

/** The body without its first bytes, which we have already: not every registry can begin in the middle. */
async function* from(answer: Answer, offset: number): AsyncGenerator<Buffer> {
  let left = offset
  for await (const piece of answer.body as AsyncIterable<Buffer>) {
    if (piece.length > left) yield left === 0 ? piece : piece.subarray(left)
    left = Math.max(0, left - piece.length)
  }
}

export const make = (settings: RegistrySettings, { ask, unexpected }: RegistryCalls) => {
  const open = Effect.fnUntraced(function* (reference: ImageReference, descriptor: Descriptor, offset: number) {
    const answer = yield* ask({
      access: { host: reference.host, repository: reference.repository, actions: "pull" },
      method: "GET",
      to: pathOf(reference, descriptor),
      headers: offset === 0 ? {} : { range: `bytes=${offset}-` },
      isRepeatable: true
    })
    if (answer.status === 404) {
      const { digest } = descriptor
      return yield* new ImageNotFound({ reference: print({ ...reference, tag: undefined, digest }) })
    }
    // It has no byte there: what it holds is shorter than what was announced.
    if (answer.status === 416) return yield* mismatch(reference, descriptor.digest, `only ${offset} bytes`)
    const start = startOf(answer)
    if ((answer.status !== 200 && answer.status !== 206) || !(start === 0 || start === offset)) {
      return yield* yield* unexpected(reference.host, answer)
    }
    return Stream.fromAsyncIterable(
      from(answer, offset - start),
      (cause) => new Unanswered({ detail: (cause as Error).message, isFinal: false, cause })
    )
  })

  return (reference: ImageReference, descriptor: Descriptor, heldBytes = 0): Stream.Stream<Uint8Array, Missed> =>
    Stream.suspend(() => {
      const { digest, size } = descriptor
      const registry = reference.host
      const unavailable = (detail: string) =>
        new RegistryUnavailable({ registry, detail: `blob ${digest} of ${reference.repository}: ${detail}` })
      if (size > settings.blobLimitBytes) {
        return Stream.fail(unavailable(`${size} bytes are more than ${settings.blobLimitBytes}`))
      }
      const hash = hashLike(digest)
      const startedAtMs = performance.now()
      let received = heldBytes
      let resumptions = 0

      const take = (piece: Uint8Array): Effect.Effect<Uint8Array, Missed> => {
        if (received + piece.length > size) return Effect.fail(mismatch(reference, digest, `more than ${size} bytes`))
        if (performance.now() - startedAtMs > settings.transferLimitMs) {
          return Effect.fail(unavailable(`it takes more than ${settings.transferLimitMs} ms`))
        }
        received += piece.length
        hash.update(piece)
        return Effect.succeed(piece)
      }

      const resume = (detail: string): Stream.Stream<Uint8Array, Missed> => {
        if (resumptions === settings.retryLimit) return Stream.fail(unavailable(`${detail}, after ${received} bytes`))
        const delayMs = settings.retryDelayMs * 2 ** resumptions
        resumptions += 1
        return Stream.unwrap(Effect.as(Effect.sleep(delayMs), Stream.suspend(rest)))
      }

      const end = (): Stream.Stream<Uint8Array, Missed> => {
        if (received < size) return resume("it ends early")
        // Of what came without its beginning there is no digest.
        const actual = heldBytes === 0 ? finish(hash, digest) : digest
        return actual === digest ? Stream.empty : Stream.fail(mismatch(reference, digest, actual))
      }

      const rest = (): Stream.Stream<Uint8Array, Missed> =>
        Stream.unwrap(open(reference, descriptor, received)).pipe(
          Stream.mapEffect(take),
          Stream.concat(Stream.suspend(end)),
          Stream.catchTag("Unanswered", ({ detail }) => (received === size ? end() : resume(detail)))
        )
      return heldBytes > 0 && heldBytes === size ? Stream.empty : rest()
    })
}
