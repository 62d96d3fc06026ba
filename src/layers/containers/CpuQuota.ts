/**
 * A limit to what a worker may take of the processors, by its memory, for those who asked for one. It begins when the function
 * has: under the quota of 128 MiB, Node alone would take ten times as long to start.
 */
import { Effect } from "effect"
import { bytesPerMiB, cpuQuotaMicroseconds, quotaPeriodMicroseconds } from "#domain/ContainerLimits"
import type { ContainerWorker } from "./ContainerWorker.ts"
import type { RuntimeSettings } from "./RuntimeSettings.ts"

/** For when a function has begun. A worker that could not be limited serves all the same, by its weight. */
export const make = ({ cpuLimit }: Pick<RuntimeSettings, "cpuLimit">) => {
  const limit = ({ container, memoryLimitBytes }: ContainerWorker): Effect.Effect<void> => {
    const quota = cpuQuotaMicroseconds(memoryLimitBytes / bytesPerMiB)
    return Effect.ignore(container.limitCpu(quota, quotaPeriodMicroseconds), { log: "Warn" })
  }
  return cpuLimit === "quota" ? limit : () => Effect.void
}
