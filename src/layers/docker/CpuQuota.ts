/**
 * A limit to what a worker may take of the processors, by its memory, for those who asked for one. It begins when the function
 * has: under the quota of 128 MiB, Node alone would take ten times as long to start.
 */
import { Effect } from "effect"
import { bytesPerMiB, cpuQuotaMicroseconds, quotaPeriodMicroseconds } from "#domain/ContainerLimits"
import { DockerApi } from "./DockerApi.ts"
import type { DockerSettings } from "./DockerSettings.ts"
import type { DockerWorker } from "./DockerWorker.ts"

/** For when a function has begun. A worker that could not be limited serves all the same, by its weight. */
export const make = Effect.fnUntraced(function* ({ cpuLimit }: DockerSettings) {
  const { call, engine } = yield* DockerApi
  const limit = ({ container, memoryLimitBytes }: DockerWorker): Effect.Effect<void> => {
    const limits = {
      CpuPeriod: quotaPeriodMicroseconds,
      CpuQuota: cpuQuotaMicroseconds(memoryLimitBytes / bytesPerMiB)
    }
    return Effect.ignore(
      call((abortSignal) => engine.getContainer(container.name).update({ ...limits, abortSignal })),
      { log: "Warn" }
    )
  }
  return cpuLimit === "quota" ? limit : () => Effect.void
})
