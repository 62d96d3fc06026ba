/** Keeps a program running: whenever it ends it is started again, and what does not depend on it goes on meanwhile. */
import { Clock, Duration, Effect } from "effect"
import { Machine, type Program } from "#services/Machine"

/** Pauses before a new start: doubled from the first, up to the last. */
const firstPause = Duration.millis(100)
const longestPause = Duration.seconds(10)
/** A run this long was a good one. */
const goodRun = Duration.seconds(10)

export interface Supervised extends Program {
  /** As a reader of the log knows it. */
  readonly name: string
  /** Succeeds when somebody wishes that it is ended and started anew. */
  readonly renewed: Effect.Effect<void>
}

type End = { readonly why: string; readonly isWished: boolean }

const runOnce = Effect.fnUntraced(function* (program: Supervised) {
  const { start } = yield* Machine
  const { ended } = yield* start(program)
  return yield* Effect.raceFirst(
    Effect.map(ended, (why): End => ({ why, isWished: false })),
    Effect.as(program.renewed, { why: "it was wished so", isWished: true } satisfies End)
  )
}, Effect.scoped)

const pauseAfter = (badRuns: number): Duration.Duration =>
  Duration.min(Duration.times(firstPause, 2 ** Math.min(badRuns, 20)), longestPause)

/** Never succeeds. Interrupting it returns when the program is gone. */
export const supervise = Effect.fnUntraced(function* (program: Supervised) {
  let badRuns = 0
  for (;;) {
    const from = yield* Clock.currentTimeMillis
    const { isWished, why } = yield* runOnce(program)
    const lastedMs = (yield* Clock.currentTimeMillis) - from
    badRuns = isWished || lastedMs >= Duration.toMillis(goodRun) ? 0 : badRuns + 1
    const level = isWished ? Effect.logInfo : Effect.logError
    yield* level(`${program.name} is started again: ${why}`)
    if (!isWished) yield* Effect.sleep(pauseAfter(badRuns))
  }
})
