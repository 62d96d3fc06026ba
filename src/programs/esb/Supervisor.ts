/** Keeps a server of ours running: whenever it ends by itself it is started again, at the same port. */
import { Clock, Duration, Effect } from "effect"
import * as ServerProcess from "./ServerProcess.ts"
import { CommandFailed } from "./Refusal.ts"

/** Pauses before a new start: doubled from the first, up to the last. */
const firstPause = Duration.millis(100)
const longestPause = Duration.seconds(5)
/** A run this long was a good one. */
const goodRun = Duration.seconds(2)
/** Runs in a row that were not good, after which it is no use. */
const mostBadRuns = 6

export interface Supervised extends ServerProcess.ServerOptions {
  /** How long calls in flight may take to end when it is stopped. */
  readonly patienceMs: number
  /** Called whenever it answers. */
  readonly onReady: (run: ServerProcess.ServerRun, url: string) => Effect.Effect<void>
  /** Told why it ended and that it is started again. */
  readonly onRestart: (why: string) => void
}

const pauseBefore = (badRuns: number): Duration.Duration =>
  Duration.min(Duration.times(firstPause, 2 ** Math.max(0, badRuns - 1)), longestPause)

/** One run from start to end. Answers why it ended and how long it had answered. */
const runOnce = Effect.fnUntraced(function* (options: Supervised, port: string | undefined) {
  const environment = port === undefined ? options.environment : { ...options.environment, PORT: port }
  const run = yield* ServerProcess.start({ ...options, environment }, options.patienceMs)
  const url = yield* run.ready
  const from = yield* Clock.currentTimeMillis
  yield* options.onReady(run, url)
  const why = yield* run.ended
  return { why, url, lastedMs: (yield* Clock.currentTimeMillis) - from }
}, Effect.scoped)

/**
 * Never succeeds. Fails when the first start fails, and when the server ends again and again. Interrupting stops it and
 * returns when it is gone.
 */
export const supervise = Effect.fnUntraced(function* (options: Supervised): Effect.fn.Return<never, CommandFailed> {
  let run = yield* runOnce(options, undefined)
  // The port that was found first is the one that clients know.
  const { port } = new URL(run.url)
  let badRuns = 0
  for (;;) {
    badRuns = run.lastedMs >= Duration.toMillis(goodRun) ? 1 : badRuns + 1
    if (badRuns > mostBadRuns) {
      return yield* new CommandFailed({
        message: `The ${options.name} ended ${mostBadRuns} times in a row; the last time ${run.why}`
      })
    }
    options.onRestart(run.why)
    yield* Effect.sleep(pauseBefore(badRuns))
    run = yield* runOnce(options, port).pipe(
      Effect.catch(({ message }) => Effect.succeed({ why: message, url: run.url, lastedMs: 0 }))
    )
  }
})
