/**
 * A limit to what a worker may take of the processors, by its memory, for those who asked for one. It begins when the function
 * has: under the quota of 128 MiB, Node alone would take ten times as long to start.
 */
import { Effect } from "effect"
import type { ContainerdSettings } from "./ContainerdSettings.ts"
import { bytesPerMiB, type ContainerdWorker } from "./ContainerdWorker.ts"
import { processorMiB } from "./ContainerSpec.ts"
import type { TaskCalls } from "./Tasks.ts"

/** What the kernel counts by, in microseconds, and the least that it lets anybody have of it. */
const periodMicroseconds = 100_000
const leastMicroseconds = 1_000

/** One processor for 1769 MiB, as on AWS, and so in proportion. */
const quotaOf = (memoryMiB: number): number =>
  Math.max(leastMicroseconds, Math.round((memoryMiB / processorMiB) * periodMicroseconds))

/** For when a function has begun. A worker that could not be limited serves all the same, by its weight. */
export const make = ({ cpuLimit }: ContainerdSettings, tasks: TaskCalls) => {
  const limit = ({ container, memoryLimitBytes }: ContainerdWorker): Effect.Effect<void> =>
    Effect.ignore(tasks.limitCpu(container.name, quotaOf(memoryLimitBytes / bytesPerMiB), periodMicroseconds), {
      log: "Warn"
    })
  return cpuLimit === "quota" ? limit : () => Effect.void
}
