/** Workers that are frozen and thawed, as their owner wishes and nobody else, one step at a time. */
import { Effect } from "effect"
import { RuntimeUnavailable } from "#domain/Failure"
import type { EngineFailure } from "#services/ContainerEngine"
import type { ContainerWorker } from "./ContainerWorker.ts"

export const make = (isReachable: () => boolean) => {
  const ask = (held: ContainerWorker, isPaused: boolean): Effect.Effect<void, EngineFailure> =>
    (isPaused ? held.container.freeze : held.container.thaw).pipe(
      // One of whose freezing nobody has heard may stand frozen: who wakes it asks for that in any case.
      Effect.tapError(({ kind }) => Effect.sync(() => void (held.isFrozen ||= isPaused && kind === "lost"))),
      Effect.andThen(Effect.sync(() => void (held.isFrozen = isPaused))),
      // What the engine has done is known. Whether its doing can be broken off is its own affair.
      Effect.uninterruptible
    )

  const runs = ({ container }: ContainerWorker): boolean => container.exit === undefined && !container.isRemoved

  const unavailable = (cause: EngineFailure): RuntimeUnavailable =>
    new RuntimeUnavailable({ detail: cause.message, cause, ...(isReachable() ? {} : { isAway: true }) })

  const set = (held: ContainerWorker, isPaused: boolean): Effect.Effect<void, RuntimeUnavailable> =>
    Effect.gen(function* () {
      const isWanted = isPaused ? !held.isPaused : held.isFrozen
      if (isWanted && runs(held)) yield* Effect.mapError(ask(held, isPaused), unavailable)
      if (!runs(held)) {
        return yield* new RuntimeUnavailable({ detail: `container ${held.worker.name} is not running` })
      }
      held.isPaused = isPaused
      // Nobody may be waiting for it any more: whoever asks next what it is must be told.
    }).pipe(Effect.uninterruptible, held.turn.withPermit)

  /** A worker that its owner believes to be frozen, and that runs for a moment. By now its owner may have woken it. */
  const again = (held: ContainerWorker): Effect.Effect<void> =>
    Effect.suspend(() => (held.isPaused && !held.isFrozen && runs(held) ? ask(held, true) : Effect.void)).pipe(
      held.turn.withPermit,
      // It runs on, which costs a little and harms nobody.
      Effect.ignore({ log: "Debug" })
    )

  /** It stands frozen: for its owner, or for a stranger, whose call it would not hear; then it is thawed at once. */
  const found = (held: ContainerWorker): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (held.isPaused || !runs(held)) return Effect.void
      return Effect.andThen(
        Effect.logInfo(`Worker ${held.worker.name} was frozen by somebody else, and is thawed`),
        ask(held, false)
      )
    }).pipe(
      held.turn.withPermit,
      // Whoever calls it then finds out how it is.
      Effect.ignore({ log: "Warn" })
    )

  /** Frozen, it would not hear that it ends. The turn is the caller's. */
  const thaw = (held: ContainerWorker): Effect.Effect<void, EngineFailure> =>
    Effect.suspend(() => (held.isFrozen && runs(held) ? ask(held, false) : Effect.void))

  return { set, again, found, thaw }
}
