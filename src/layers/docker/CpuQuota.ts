/**
 * A limit to what a worker may take of the processors, by its memory, for those who asked for one. It begins when the function
 * has: under the quota of 128 MiB, Node alone would take ten times as long to start.
 */
import { Effect } from "effect"
import { processorMiB } from "./ContainerOptions.ts"
import { DockerApi } from "./DockerApi.ts"
import type { DockerSettings } from "./DockerSettings.ts"
import { bytesPerMiB, type DockerWorker } from "./DockerWorker.ts"

/** What the kernel counts by, in microseconds, and the least that it lets anybody have of it. */
const periodMicroseconds = 100_000
const leastMicroseconds = 1_000

/** One processor for 1769 MiB, as on AWS, and so in proportion. Microseconds of every tenth of a second. */
export const quotaOf = (memoryMiB: number): number =>
  Math.max(leastMicroseconds, Math.round((memoryMiB / processorMiB) * periodMicroseconds))

/** For when a function has begun. A worker that could not be limited serves all the same, by its weight. */
export const make = Effect.fnUntraced(function* ({ cpuLimit }: DockerSettings) {
  const { call, engine } = yield* DockerApi
  const limit = ({ container, memoryLimitBytes }: DockerWorker): Effect.Effect<void> => {
    const limits = { CpuPeriod: periodMicroseconds, CpuQuota: quotaOf(memoryLimitBytes / bytesPerMiB) }
    return Effect.ignore(
      call((abortSignal) => engine.getContainer(container.name).update({ ...limits, abortSignal })),
      { log: "Warn" }
    )
  }
  return cpuLimit === "quota" ? limit : () => Effect.void
})
