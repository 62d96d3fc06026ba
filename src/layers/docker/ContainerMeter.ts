/**
 * How much containers use: by the kernel's own files where they can be seen. Where they cannot, as from inside a container, by the
 * engine's statistics, which take up to a second each.
 */
import { Effect, Option } from "effect"
import { type ContainerUsage, noUsage } from "#domain/HeldContainer"
import type { Door } from "#services/RuntimeApi"
import * as CgroupFiles from "./CgroupFiles.ts"
import { DockerApi, type EngineFailure } from "./DockerApi.ts"
import type { Container } from "./DockerContainer.ts"

/** As much of a container as is needed to measure it. */
type MeasuredContainer = Pick<Container, "name" | "cgroup"> & {
  readonly door: Pick<Door, "measured" | "callCount">
}

/** What the engine said of a container, and of how many calls. */
interface Figure {
  readonly usage: ContainerUsage
  readonly calls: number
  readonly atMs: number
}

/** How long the engine's figure of a worker holds that has begun no call since. */
const figureHoldsMs = 60_000

/** `onMissed` is told, at every look, of one that the kernel has nothing of any more. */
export const make = Effect.fnUntraced(function* <C extends MeasuredContainer>(onMissed: (container: C) => void) {
  const { call, engine } = yield* DockerApi
  const figures = new WeakMap<C, Figure>()

  /** By the engine's own statistics. */
  const ask = Effect.fnUntraced(function* (container: C) {
    const calls = container.door.callCount()
    const { cpu_stats, memory_stats } = yield* call(() =>
      engine.getContainer(container.name).stats({ stream: false, "one-shot": true })
    )
    const usage: ContainerUsage = {
      // Of a container that has just ended the engine sends the form without its content.
      memoryBytes: Math.max(0, (memory_stats.usage ?? 0) - (memory_stats.stats?.inactive_file ?? 0)),
      oomEvents: memory_stats.failcnt ?? 0,
      cpuNanoseconds: cpu_stats.cpu_usage?.total_usage ?? 0
    }
    figures.set(container, { usage, calls, atMs: performance.now() })
    return usage
  })

  const known = (container: C): ContainerUsage | undefined => {
    const figure = figures.get(container)
    if (figure === undefined || figure.calls !== container.door.callCount()) return undefined
    return performance.now() - figure.atMs < figureHoldsMs ? figure.usage : undefined
  }

  const usage = (container: C): Effect.Effect<ContainerUsage, EngineFailure> =>
    Effect.suspend(() => {
      if (container.cgroup !== undefined) {
        return Effect.map(
          CgroupFiles.read(container.cgroup),
          Option.getOrElse(() => noUsage)
        )
      }
      const figure = known(container)
      return figure === undefined ? ask(container) : Effect.succeed(figure)
    })

  const measure = (container: C): Effect.Effect<void> =>
    Effect.suspend(() => {
      const { cgroup, door } = container
      if (cgroup === undefined) {
        return ask(container).pipe(
          Effect.map(({ memoryBytes }) => door.measured(memoryBytes)),
          // It has ended, or the engine is away: both are told elsewhere.
          Effect.ignore
        )
      }
      const bytes = CgroupFiles.memoryBytes(cgroup)
      if (Option.isSome(bytes)) door.measured(bytes.value)
      else onMissed(container)
      return Effect.void
    })

  /** Out of sight, each look is a question to the engine. */
  const isDear = ({ cgroup }: C): boolean => cgroup === undefined

  return { usage, measure, isDear }
})
