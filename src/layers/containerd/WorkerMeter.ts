/** How much workers use: asked for one, and watched for those in use so that their reports can tell the most. */
import { Effect } from "effect"
import type { ContainerId, Phase } from "#domain/Worker"
import type { ContainerdFailure } from "./ContainerdFailure.ts"
import type { ContainerdSettings } from "./ContainerdSettings.ts"
import type { Container, ContainerdWorker } from "./ContainerdWorker.ts"
import * as TaskMetrics from "./TaskMetrics.ts"
import type { TaskCalls } from "./Tasks.ts"

/** Workers that are asked for at a time. */
const parallelLooks = 4

export const make = ({ sampleEveryMs }: ContainerdSettings, tasks: TaskCalls) => {
  const usage = ({ exit, name }: Container): Effect.Effect<TaskMetrics.Usage, ContainerdFailure> =>
    exit === undefined ? tasks.usage(name) : Effect.succeed(TaskMetrics.nothing)

  const look = ({ container }: ContainerdWorker): Effect.Effect<void> =>
    usage(container).pipe(
      Effect.map(({ memoryBytes }) => container.door.measured(memoryBytes)),
      // It has ended, or containerd is away: both are told elsewhere.
      Effect.ignore
    )

  /** Looks for ever. A worker that is idle, frozen or ended has nothing new to show and is passed over. */
  const watch = (
    workers: ReadonlyMap<ContainerId, ContainerdWorker>,
    phaseOf: (id: ContainerId) => Phase | undefined
  ): Effect.Effect<never> => {
    const callsSeen = new WeakMap<ContainerdWorker, number>()
    const isActive = (held: ContainerdWorker): boolean => {
      const { container, isPaused, worker } = held
      if (isPaused || container.exit !== undefined) return false
      const calls = container.door.callCount()
      const isNew = callsSeen.get(held) !== calls
      callsSeen.set(held, calls)
      return isNew || phaseOf(worker.id) === "busy"
    }
    const lookAtThoseInUse = Effect.suspend(() =>
      Effect.forEach([...workers.values()].filter(isActive), look, { concurrency: parallelLooks, discard: true })
    )
    return Effect.forever(Effect.delay(lookAtThoseInUse, sampleEveryMs))
  }

  return { usage, look, watch }
}
