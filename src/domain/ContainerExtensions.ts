/** External extensions in the image of a container, which AWS's platform starts beside the runtime, whichever engine runs it. */
import { Effect } from "effect"
import * as WorkerExit from "./WorkerExit.ts"

/** Every program in here is one. */
export const directory = "/opt/extensions"

/** Those that run in a container. */
export interface ContainerExtensions {
  /** The container is on its way out: from now on it is no news that one of them ends. */
  readonly retire: () => void
  /** Every one of them has ended. */
  readonly ended: Effect.Effect<void>
}

/** Of a container that has none, or whose emulator looks after them. */
export const none: ContainerExtensions = { retire: () => undefined, ended: Effect.void }

/** Those of one container that are started at a time. */
export const parallelStarts = 4

/** A container that ends kills its processes, and of its own end is heard within this time. */
export const endsTogetherMs = 250

/** It was killed, perhaps because its container has ended. */
export const mayHaveBeenTaken = (code: number): boolean => WorkerExit.ofCode(code, false).signal !== undefined

/** How a container has ended that one of them has taken with it. */
export const crashOf = (extension: string, code: number, outOfMemory: boolean): WorkerExit.ExitStatus => ({
  ...WorkerExit.ofCode(code, outOfMemory),
  extension
})
