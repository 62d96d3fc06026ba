/** A body that is kept in memory, and must therefore end soon. */
import { Effect } from "effect"
import { Buffer } from "node:buffer"
import { type Answer, discard, Unanswered } from "./RegistryHttp.ts"

export interface Bounds {
  readonly bytes: number
  readonly ms: number
}

/** All of it. More than the limit is no answer, and neither is one that takes too long. */
export const read = (answer: Answer, { bytes, ms }: Bounds): Effect.Effect<Buffer, Unanswered> =>
  Effect.tryPromise({
    try: async () => {
      const pieces: Array<Buffer> = []
      let size = 0
      for await (const piece of answer.body as AsyncIterable<Buffer>) {
        size += piece.length
        if (size > bytes) throw new Error(`an answer has more than ${bytes} bytes`)
        pieces.push(piece)
      }
      return Buffer.concat(pieces)
    },
    catch: (cause) => new Unanswered({ detail: (cause as Error).message, isFinal: false, cause })
  }).pipe(
    Effect.timeoutOrElse({
      duration: ms,
      orElse: () => Effect.fail(new Unanswered({ detail: `an answer does not end within ${ms} ms`, isFinal: false }))
    }),
    // A read that is given up must not go on behind our back.
    Effect.onError(() => Effect.sync(() => discard(answer)))
  )

/** What a refusal says of itself, as far as it does: nothing of it may hide the refusal. */
export const told = (answer: Answer, bounds: Bounds): Effect.Effect<string> =>
  read(answer, bounds).pipe(
    Effect.map((body) => {
      const text = body.toString("utf8").replaceAll(/\s+/g, " ").trim().slice(0, mostToldCharacters)
      return text === "" ? `status ${answer.status}` : `status ${answer.status}: ${text}`
    }),
    Effect.orElseSucceed(() => `status ${answer.status}`)
  )

const mostToldCharacters = 400
