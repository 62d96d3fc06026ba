/** How long the Provisioner waits: for stores that are still starting, and for tables that are still being made. */
import { Clock, Console, Duration, Effect, Ref, Schedule } from "effect"
import { StoreUnavailable } from "#domain/StoreFailure"

/** Asked again after this long, then after twice as long, and so on … */
const firstPause = Duration.millis(100)
/** … but never less often than this. */
const longestPause = Duration.seconds(2)

/** Pauses that grow, shaken so that not everything that waits comes back at once, until `limit` has passed. */
export const pausesWithin = (limit: Duration.Duration) =>
  Schedule.exponential(firstPause).pipe(
    Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, longestPause))),
    Schedule.jittered,
    Schedule.upTo({ duration: limit })
  )

const isUnavailable = <E>(failure: E): failure is E & StoreUnavailable => failure instanceof StoreUnavailable

/** Asks a store again while it is unavailable. */
export interface Patience {
  <A, E>(request: Effect.Effect<A, E>): Effect.Effect<A, E | StoreUnavailable>
}

/**
 * For all requests to one store: each is tried again while the store is unavailable, for `limit` and one request at the
 * longest. That it is waited for is told once, on stderr.
 */
export const make = Effect.fnUntraced(function* (limit: Duration.Duration) {
  const isTold = yield* Ref.make(false)
  const tell = (failure: StoreUnavailable) =>
    Effect.flatMap(Ref.getAndSet(isTold, true), (before) =>
      before ? Effect.void : Console.error(`waiting: ${failure.message}`)
    )
  const patience: Patience = <A, E>(request: Effect.Effect<A, E>) =>
    Effect.flatMap(Clock.currentTimeMillis, (since) =>
      request.pipe(
        Effect.tapError((failure) => (isUnavailable(failure) ? tell(failure) : Effect.void)),
        Effect.retry({ while: isUnavailable, schedule: pausesWithin(limit) }),
        Effect.catchIf(isUnavailable, (failure) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.fail(after(now - since, failure)))
        )
      )
    )
  return patience
})

const after = (ms: number, { cause, detail, endpoint }: StoreUnavailable): StoreUnavailable =>
  new StoreUnavailable({ endpoint, detail: `not within ${(ms / 1_000).toFixed(1)} seconds: ${detail}`, cause })
