/** A worker of this host: its processes, its door, and what has been seen of it. */
import type { Scope, Semaphore } from "effect"
import type { ContainerStatus, Worker } from "#domain/Worker"
import type { ExitStatus } from "#domain/WorkerExit"
import type { Door } from "#services/RuntimeApi"
import type { ProcessGroup } from "./ProcessGroup.ts"
import type { WorkerDirectory } from "./WorkerDirectory.ts"

export interface ProcessWorker {
  readonly worker: Worker
  readonly memoryLimitBytes: number
  readonly door: Door
  readonly directory: WorkerDirectory
  /** Ends with the worker: its processes, its directory and its door go with it. */
  readonly scope: Scope.Closeable
  readonly runtime: ProcessGroup
  /** By their names. */
  readonly extensions: ReadonlyMap<string, ProcessGroup>
  /** Taken while it is removed, so that whoever comes second waits for the first. */
  readonly turn: Semaphore.Semaphore
  status: ContainerStatus
  lastUsedAtUnixSeconds: number
  /** Killed, or about to be, for using more memory than it has. */
  outOfMemory: boolean
  /** It is being removed: its end is no news to anybody. */
  retired: boolean
  exit: { readonly status: ExitStatus; readonly atUnixSeconds: number } | undefined
}

export const groupsOf = ({ extensions, runtime }: ProcessWorker): ReadonlyArray<ProcessGroup> => [
  runtime,
  ...extensions.values()
]
