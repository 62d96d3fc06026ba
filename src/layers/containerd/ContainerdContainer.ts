/** A container of ours, from the moment it is asked for. */
import type { FreezerPlace } from "#domain/FreezerPlace"
import type { ContainerExit } from "#domain/HeldContainer"
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
  exit: ContainerExit | undefined
  /** Nothing is left of it. */
  isRemoved: boolean
  /** It is a worker, and outlives this process. Until then it goes with its start. */
  stays: boolean
}
