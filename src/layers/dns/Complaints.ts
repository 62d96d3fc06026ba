/** Tells the log what goes wrong with names: the first at once, then no more than one line a second, with the number of the others. */
import { Effect, Queue } from "effect"

const pause = "1 second"

export type Complain = (what: string) => void

/** A client that sends rubbish must not fill the log: what comes during a pause is counted, and its first is told. */
export const make = Effect.gen(function* () {
  const untold = yield* Queue.dropping<string>(1)
  let dropped = 0
  yield* Queue.take(untold).pipe(
    Effect.flatMap((what) => {
      const others = dropped === 0 ? "" : ` (and ${dropped} more of that kind or another)`
      dropped = 0
      return Effect.logWarning(`Names of workers: ${what}${others}`)
    }),
    Effect.andThen(Effect.sleep(pause)),
    Effect.forever,
    Effect.forkScoped
  )
  const complain: Complain = (what) => {
    if (!Queue.offerUnsafe(untold, what)) dropped += 1
  }
  return complain
})
