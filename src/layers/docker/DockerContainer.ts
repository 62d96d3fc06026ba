/** A container of ours, from the moment it is asked for. */
import type { Deferred } from "effect"
import type { ContainerExit } from "#domain/HeldContainer"
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
  exit: ContainerExit | undefined
  wasOutOfMemory: boolean
  /** It is not at the engine any more. */
  isRemoved: boolean
  /** It is a worker, and outlives this process. Until then it goes with its start. */
  stays: boolean
}
