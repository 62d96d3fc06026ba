/** What the operating system says of processes: whose group they are in, how much memory and time they use. */
import type { Effect } from "effect"

export interface ProcessEntry {
  readonly pid: number
  /** The pid of the process that leads its group. */
  readonly group: number
  /** Together with the pid this names one process for ever: pids come again, start times do not go back. */
  readonly startTime: string
  /** It has ended, and its parent has not asked how. */
  readonly ended: boolean
  readonly residentBytes: number
  /** Of itself and of the children it has waited for. */
  readonly cpuNanoseconds: number
}

export interface ProcessTable {
  readonly all: Effect.Effect<ReadonlyArray<ProcessEntry>>
  /** Those of them that exist. */
  readonly some: (pids: ReadonlyArray<number>) => Effect.Effect<ReadonlyArray<ProcessEntry>>
  /**
   * Processes whose environment holds this `NAME=value`, wherever they went. Empty where the system does not show the
   * environment of a process.
   */
  readonly marked: (variable: string) => Effect.Effect<ReadonlyArray<number>>
}
