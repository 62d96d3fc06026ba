/**
 * How much workers use: asked for one, and watched for those in use so that their reports can tell the most. By the kernel's own
 * files where they can be seen. Where they cannot, as from inside a container, by the engine's statistics, which take up to a
 * second each: then one worker in use is asked for after the other, and idle ones are not asked for again.
 */
import { Effect, Option } from "effect"
import type { ContainerId, Phase, Worker } from "#domain/Worker"
import type { Door } from "#services/RuntimeApi"
import * as CgroupFiles from "./CgroupFiles.ts"
import { DockerApi, type EngineFailure } from "./DockerApi.ts"
import type { DockerSettings } from "./DockerSettings.ts"
import type { Container } from "./DockerWorker.ts"

type MeasuredContainer = Pick<Container, "name" | "exit" | "cgroup"> & {
  readonly door: Pick<Door, "measured" | "callCount">
}

/** As much of a worker as is needed to measure it. */
export interface MeasuredWorker {
  readonly worker: Pick<Worker, "id">
  readonly container: MeasuredContainer
  readonly isPaused: boolean
}

/** What the engine said of a container, and of how many calls. */
interface Figure {
  readonly usage: CgroupFiles.Usage
  readonly calls: number
  readonly atMs: number
}

const nothing: CgroupFiles.Usage = { memoryBytes: 0, oomEvents: 0, cpuNanoseconds: 0 }

/** How long the engine's figure of a worker holds that has begun no call since. */
const figureHoldsMs = 60_000

export const make = Effect.fnUntraced(function* ({ sampleEveryMs }: Pick<DockerSettings, "sampleEveryMs">) {
  const { call, engine } = yield* DockerApi
  const figures = new WeakMap<MeasuredContainer, Figure>()

  /** By the engine's own statistics. */
  const ask = Effect.fnUntraced(function* (container: MeasuredContainer) {
    const calls = container.door.callCount()
    const { cpu_stats, memory_stats } = yield* call(() =>
      engine.getContainer(container.name).stats({ stream: false, "one-shot": true })
    )
    const usage: CgroupFiles.Usage = {
      // Of a container that has just ended the engine sends the form without its content.
      memoryBytes: Math.max(0, (memory_stats.usage ?? 0) - (memory_stats.stats?.inactive_file ?? 0)),
      oomEvents: memory_stats.failcnt ?? 0,
      cpuNanoseconds: cpu_stats.cpu_usage?.total_usage ?? 0
    }
    figures.set(container, { usage, calls, atMs: performance.now() })
    return usage
  })

  const known = (container: MeasuredContainer): CgroupFiles.Usage | undefined => {
    const figure = figures.get(container)
    if (figure === undefined || figure.calls !== container.door.callCount()) return undefined
    return performance.now() - figure.atMs < figureHoldsMs ? figure.usage : undefined
  }

  const usage = (container: MeasuredContainer): Effect.Effect<CgroupFiles.Usage, EngineFailure> =>
    Effect.suspend(() => {
      if (container.exit !== undefined) return Effect.succeed(nothing)
      if (container.cgroup !== undefined) {
        return Effect.map(
          CgroupFiles.read(container.cgroup),
          Option.getOrElse(() => nothing)
        )
      }
      const figure = known(container)
      return figure === undefined ? ask(container) : Effect.succeed(figure)
    })

  /** Only where looking costs little. `false`: the kernel has nothing of it any more. */
  const look = ({ container: { cgroup, door } }: MeasuredWorker): Effect.Effect<boolean> =>
    Effect.sync(() => {
      if (cgroup === undefined) return true
      const bytes = CgroupFiles.memoryBytes(cgroup)
      if (Option.isSome(bytes)) door.measured(bytes.value)
      return Option.isSome(bytes)
    })

  /** Looks where looking costs much. */
  const inquire = ({ container }: MeasuredWorker): Effect.Effect<void> =>
    ask(container).pipe(
      Effect.map(({ memoryBytes }) => container.door.measured(memoryBytes)),
      // It has ended, or the engine is away: both are told elsewhere.
      Effect.ignore
    )

  /**
   * Looks for ever. A worker that is idle, frozen or ended has nothing new to show and is passed over. `onMissed` is told, at
   * every look, of one in use that the kernel has nothing of any more.
   */
  const watch = <W extends MeasuredWorker>(
    workers: ReadonlyMap<ContainerId, W>,
    phaseOf: (id: ContainerId) => Phase | undefined,
    onMissed: (held: W) => void = () => undefined
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
    /** Those in sight are not kept waiting by those that are not. */
    const watchThose = (
      areMeant: (held: MeasuredWorker) => boolean,
      measure: (held: W) => Effect.Effect<void>
    ): Effect.Effect<never> =>
      Effect.forever(
        Effect.delay(
          Effect.suspend(() =>
            Effect.forEach(
              [...workers.values()].filter((held) => areMeant(held) && isActive(held)),
              measure,
              { discard: true }
            )
          ),
          sampleEveryMs
        )
      )
    const isInSight = ({ container }: MeasuredWorker): boolean => container.cgroup !== undefined
    return Effect.raceFirst(
      watchThose(isInSight, (held) => Effect.map(look(held), (isThere) => (isThere ? undefined : onMissed(held)))),
      watchThose((held) => !isInSight(held), inquire)
    )
  }

  return { usage, look, watch }
})
