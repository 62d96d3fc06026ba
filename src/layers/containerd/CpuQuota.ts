/**
 * A limit to what a worker may take of the processors, by its memory, for those who asked for one. It begins when the function
 * has: under the quota of 128 MiB, Node alone would take ten times as long to start.
 */
import { Effect } from "effect"
import { bytesPerMiB, cpuQuotaMicroseconds, quotaPeriodMicroseconds } from "#domain/ContainerLimits"
import type { ContainerdSettings } from "./ContainerdSettings.ts"
import type { ContainerdWorker } from "./ContainerdWorker.ts"
import type { TaskCalls } from "./Tasks.ts"

/** For when a function has begun. A worker that could not be limited serves all the same, by its weight. */
export const make = ({ cpuLimit }: ContainerdSettings, tasks: TaskCalls) => {
  const limit = ({ container, memoryLimitBytes }: ContainerdWorker): Effect.Effect<void> =>
    Effect.ignore(
      tasks.limitCpu(container.name, cpuQuotaMicroseconds(memoryLimitBytes / bytesPerMiB), quotaPeriodMicroseconds),
      {
        log: "Warn"
      }
    )
  return cpuLimit === "quota" ? limit : () => Effect.void
}
