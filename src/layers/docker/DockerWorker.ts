/** A container of ours, from the moment it is asked for, and the worker that it becomes. */
import type { Deferred, Scope, Semaphore } from "effect"
import type { ContainerExtensions } from "#domain/ContainerExtensions"
import type { Worker } from "#domain/Worker"
import type { ExitStatus } from "#domain/WorkerExit"
import type { Door } from "#services/RuntimeApi"
import type { CgroupFiles } from "./CgroupFiles.ts"

export interface Container {
  readonly name: string
  readonly door: Door
  /** The engine's own id, once there is one. */
  engineId: string | undefined
  /** Where the kernel counts what it uses; `undefined` until it runs, and where this process cannot look. */
  cgroup: CgroupFiles | undefined
  /** Everything it wrote has been read. */
  readonly outputEnded: Deferred.Deferred<void>
  exit: { readonly status: ExitStatus; readonly code: number; readonly atUnixSeconds: number } | undefined
  /** It is not at the engine any more. */
  isRemoved: boolean
  /** It is a worker, and outlives this process. Until then it goes with its start. */
  stays: boolean
}

export interface DockerWorker {
  readonly worker: Worker
  readonly container: Container
  readonly extensions: ContainerExtensions
  readonly memoryLimitBytes: number
  /** How long one call may take. */
  readonly timeoutMs: number
  /** Holds the container and the door. */
  readonly scope: Scope.Closeable
  /** Held by whoever freezes, thaws or removes it. */
  readonly turn: Semaphore.Semaphore
  /** As its owner wants it, and knows it. */
  isPaused: boolean
  /** As the engine has it. */
  isFrozen: boolean
  /** Until then an emulator may have the call that its owner was last heard to be about to send. */
  mayBeInCallUntilUnixMs: number
  lastUsedAtUnixSeconds: number
}

/** Its owner uses it, or is about to. */
export const used = (held: DockerWorker): void => {
  const now = Date.now()
  held.lastUsedAtUnixSeconds = Math.floor(now / 1_000)
  held.mayBeInCallUntilUnixMs = now + held.timeoutMs
}
