/** A container of ours, from the moment it is asked for, and the worker that it becomes. */
import type { Deferred, Scope, Semaphore } from "effect"
import { constants } from "node:os"
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
}

export interface DockerWorker {
  readonly worker: Worker
  readonly container: Container
  readonly memoryLimitBytes: number
  /** Holds the container and the door. */
  readonly scope: Scope.Closeable
  /** Held by whoever removes it. */
  readonly turn: Semaphore.Semaphore
  isPaused: boolean
  lastUsedAtUnixSeconds: number
}

/** Exit codes above it are signals, as shells count them. */
const signalBase = 128

/** The engine tells a signal as a code. */
export const exitStatus = (code: number, outOfMemory: boolean): ExitStatus => {
  const signal = Object.entries(constants.signals).find(([, number]) => number === code - signalBase)?.[0]
  return { code: signal === undefined ? code : undefined, signal, outOfMemory, extension: undefined }
}
