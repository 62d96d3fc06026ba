/** Watches how much memory workers use, so that their reports can tell the most. */
import { Effect } from "effect"
import type { ContainerId, Phase, Worker } from "#domain/Worker"
import type { EngineContainer } from "#services/ContainerEngine"
import type { Door } from "#services/RuntimeApi"

/** As much of a worker as is needed to measure it. */
export interface MeasuredWorker {
  readonly worker: Pick<Worker, "id">
  readonly container: Pick<EngineContainer, "exit" | "isDearToMeasure" | "measure"> & {
    readonly door: Pick<Door, "callCount">
  }
  readonly isPaused: boolean
}

/** Workers that are measured at a time, where that costs little. */
const parallelLooks = 4

/** Looks for ever. A worker that is idle, frozen or ended has nothing new to show and is passed over. */
export const watch = (
  workers: ReadonlyMap<ContainerId, MeasuredWorker>,
  phaseOf: (id: ContainerId) => Phase | undefined,
  everyMs: number
): Effect.Effect<never> => {
  const callsSeen = new WeakMap<MeasuredWorker, number>()
  const isActive = (held: MeasuredWorker): boolean => {
    const { container, isPaused, worker } = held
    if (isPaused || container.exit !== undefined) return false
    const calls = container.door.callCount()
    const isNew = callsSeen.get(held) !== calls
    callsSeen.set(held, calls)
    return isNew || phaseOf(worker.id) === "busy"
  }
  const watchThose = (areDear: boolean, concurrency: number): Effect.Effect<never> => {
    const look = Effect.suspend(() => {
      const meant = [...workers.values()].filter(
        (held) => held.container.isDearToMeasure() === areDear && isActive(held)
      )
      return Effect.forEach(meant, ({ container }) => container.measure, { concurrency, discard: true })
    })
    return Effect.forever(Effect.delay(look, everyMs))
  }
  // Those that cost little are not kept waiting by the others.
  return Effect.raceFirst(watchThose(false, parallelLooks), watchThose(true, 1))
}
