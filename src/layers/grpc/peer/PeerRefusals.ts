/** Tells the log of peers that were not let in: the first at once, and then no more than one line a second. */
import { Effect, Queue } from "effect"

export interface Refusal {
  /** `10.1.2.3:45678` */
  readonly peer: string
  readonly reason: string
}

const pause = "1 second"

/** A stranger who knocks often must not fill the log: what comes during a pause is counted, and its first is told. */
export const make = Effect.gen(function* () {
  const untold = yield* Queue.dropping<Refusal>(1)
  let dropped = 0
  yield* Queue.take(untold).pipe(
    Effect.flatMap(({ peer, reason }) => {
      const others = dropped === 0 ? "" : ` (${dropped} more were refused meanwhile)`
      dropped = 0
      return Effect.logWarning(`Refused a connection from ${peer}: ${reason}${others}`)
    }),
    Effect.andThen(Effect.sleep(pause)),
    Effect.forever,
    Effect.forkScoped
  )
  return (refusal: Refusal): void => {
    if (!Queue.offerUnsafe(untold, refusal)) dropped += 1
  }
})
