/** A container of ours, from the moment it is asked for, and the worker that it becomes. */
import type { Scope, Semaphore } from "effect"
import type { ContainerExtensions } from "#domain/ContainerExtensions"
import type { FreezerPlace } from "#domain/FreezerPlace"
import type { Worker } from "#domain/Worker"
import type { ExitStatus } from "#domain/WorkerExit"
import type { WorkerNetwork } from "#services/Cni"
import type { Door } from "#services/RuntimeApi"
import type { CapturedOutput } from "./ContainerOutput.ts"

export interface Container {
  readonly name: string
  readonly door: Door
  readonly network: WorkerNetwork
  readonly output: CapturedOutput
  /** By which it is frozen and thawed; `undefined`: containerd does that. */
  freezer: FreezerPlace | undefined
  /** The kernel has killed in it for want of memory. */
  wasOutOfMemory: boolean
  /** Of one of its extensions that has ended by itself, and takes the container with it. */
  crash: { readonly extension: string; readonly code: number } | undefined
  exit: { readonly status: ExitStatus; readonly code: number; readonly atUnixSeconds: number } | undefined
  /** Nothing is left of it. */
  isRemoved: boolean
  /** It is a worker, and outlives this process. Until then it goes with its start. */
  stays: boolean
}

export interface ContainerdWorker {
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
  /** As it is. */
  isFrozen: boolean
  /** Until then an emulator may have the call that its owner was last heard to be about to send. */
  mayBeInCallUntilUnixMs: number
  lastUsedAtUnixSeconds: number
}

/** Its owner uses it, or is about to. */
export const used = (held: ContainerdWorker): void => {
  const now = Date.now()
  held.lastUsedAtUnixSeconds = Math.floor(now / 1_000)
  held.mayBeInCallUntilUnixMs = now + held.timeoutMs
}
