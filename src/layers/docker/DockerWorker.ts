/** A container of ours, from the moment it is asked for, and the worker that it becomes. */
import type { Deferred } from "effect"
import type { HeldContainer } from "#domain/HeldContainer"
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

export type DockerWorker = HeldContainer<Container>
