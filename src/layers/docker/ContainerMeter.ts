/** How much workers use: asked for one, and watched for those in use so that their reports can tell the most. */
import { Effect, Option } from "effect"
import type { ContainerId, Phase } from "#domain/Worker"
import * as CgroupFiles from "./CgroupFiles.ts"
import { DockerApi, type EngineFailure } from "./DockerApi.ts"
import type { DockerSettings } from "./DockerSettings.ts"
import type { Container, DockerWorker } from "./DockerWorker.ts"

const nothing: CgroupFiles.Usage = { memoryBytes: 0, oomEvents: 0, cpuNanoseconds: 0 }

export const make = Effect.fnUntraced(function* ({ sampleEveryMs }: DockerSettings) {
  const { call, engine } = yield* DockerApi

  /** By the engine's own statistics, which take their time. */
  const asked = ({ name }: Container): Effect.Effect<CgroupFiles.Usage, EngineFailure> =>
    Effect.map(
      call(() => engine.getContainer(name).stats({ stream: false, "one-shot": true })),
      ({ cpu_stats, memory_stats }) => ({
        // Of a container that has just ended the engine sends the form without its content.
        memoryBytes: Math.max(0, (memory_stats.usage ?? 0) - (memory_stats.stats?.inactive_file ?? 0)),
        oomEvents: memory_stats.failcnt ?? 0,
        cpuNanoseconds: cpu_stats.cpu_usage?.total_usage ?? 0
      })
    )

  const usage = (container: Container): Effect.Effect<CgroupFiles.Usage, EngineFailure> => {
    if (container.exit !== undefined) return Effect.succeed(nothing)
    if (container.cgroup === undefined) return asked(container)
    return Effect.map(
      CgroupFiles.read(container.cgroup),
      Option.getOrElse(() => nothing)
    )
  }

  /** Only where looking costs little. */
  const look = ({ container: { cgroup, door } }: DockerWorker): Effect.Effect<void> =>
    cgroup === undefined
      ? Effect.void
      : Effect.map(CgroupFiles.read(cgroup), (read) => {
          if (Option.isSome(read)) door.measured(read.value.memoryBytes)
        })

  /** Looks for ever. A worker that is idle, frozen or ended has nothing new to show and is passed over. */
  const watch = (
    workers: ReadonlyMap<ContainerId, DockerWorker>,
    phaseOf: (id: ContainerId) => Phase | undefined
  ): Effect.Effect<never> => {
    const callsSeen = new WeakMap<DockerWorker, number>()
    const isActive = (held: DockerWorker): boolean => {
      const { container, isPaused, worker } = held
      if (isPaused || container.exit !== undefined) return false
      const calls = container.door.callCount()
      const isNew = callsSeen.get(held) !== calls
      callsSeen.set(held, calls)
      return isNew || phaseOf(worker.id) === "busy"
    }
    return Effect.forever(
      Effect.delay(
        Effect.suspend(() => Effect.forEach([...workers.values()].filter(isActive), look, { discard: true })),
        sampleEveryMs
      )
    )
  }

  return { usage, look, watch }
})
