/** Workers that are frozen and thawed, as their owner wishes and nobody else, one step at a time. */
import { Effect } from "effect"
import { RuntimeUnavailable } from "#domain/Failure"
import type * as ContainerEnds from "./ContainerEnds.ts"
import { DockerApi, type EngineFailure } from "./DockerApi.ts"
import type { DockerWorker } from "./DockerWorker.ts"

/** Engines differ in how they say it: some take it for an error of their own. */
const isNoChange = ({ message, status }: EngineFailure): boolean =>
  status === 404 || status === 409 || / is (?:not|already) paused/.test(message)

export const make = Effect.fnUntraced(function* (ends: Effect.Success<ReturnType<typeof ContainerEnds.make>>) {
  const { call, engine, isReachable } = yield* DockerApi

  const ask = (held: DockerWorker, isPaused: boolean): Effect.Effect<void, EngineFailure> => {
    const { container } = held
    const named = engine.getContainer(container.name)
    return call((abortSignal) => (isPaused ? named.pause({ abortSignal }) : named.unpause({ abortSignal }))).pipe(
      Effect.asVoid,
      // It has ended, or is so already: whichever it is, a look tells.
      Effect.catchIf(isNoChange, () => Effect.asVoid(ends.look(container))),
      Effect.andThen(Effect.sync(() => void (held.isFrozen = isPaused)))
    )
  }

  const runs = ({ container }: DockerWorker): boolean => container.exit === undefined && !container.isRemoved

  const set = (held: DockerWorker, isPaused: boolean): Effect.Effect<void, RuntimeUnavailable> =>
    Effect.gen(function* () {
      if (held.isPaused !== isPaused && held.isFrozen !== isPaused && runs(held)) {
        yield* Effect.mapError(
          ask(held, isPaused),
          (failure) =>
            new RuntimeUnavailable({
              detail: failure.message,
              cause: failure,
              ...(isReachable() ? {} : { isAway: true })
            })
        )
      }
      if (!runs(held)) {
        return yield* new RuntimeUnavailable({ detail: `container ${held.worker.name} is not running` })
      }
      held.isPaused = isPaused
    }).pipe(held.turn.withPermit)

  /** A worker that its owner believes to be frozen, and that runs for a moment. By now its owner may have woken it. */
  const again = (held: DockerWorker): Effect.Effect<void> =>
    Effect.suspend(() => (held.isPaused && runs(held) ? ask(held, true) : Effect.void)).pipe(
      held.turn.withPermit,
      // It runs on, which costs a little and harms nobody.
      Effect.ignore({ log: "Debug" })
    )

  /** The engine has frozen it: for its owner, or for a stranger, whose call it would not hear; then it is thawed at once. */
  const found = (held: DockerWorker): Effect.Effect<void> =>
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
  const thaw = (held: DockerWorker): Effect.Effect<void, EngineFailure> =>
    Effect.suspend(() => (held.isFrozen && runs(held) ? ask(held, false) : Effect.void))

  return { set, again, found, thaw }
})
