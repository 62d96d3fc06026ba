/** The workers of every function, lent one call at a time. */
import { Context, type Effect, type Scope } from "effect"
import type {
  ArtifactNotFound,
  BreakerOpen,
  InitFailed,
  PoolExhausted,
  RuntimeUnavailable,
  RuntimeUnsupported,
  WorkerUnreachable
} from "#domain/Failure"
import type { FunctionName } from "#domain/FunctionName"
import type { FunctionSpec } from "#domain/FunctionSpec"
import type { LentWorker } from "#domain/Worker"

/** Why no worker could be lent. */
export type BorrowFailure =
  | PoolExhausted
  | BreakerOpen
  | InitFailed
  | RuntimeUnavailable
  | RuntimeUnsupported
  | ArtifactNotFound
  | WorkerUnreachable

/** One line of `/metrics/pools`. */
export interface PoolStatus {
  readonly functionName: FunctionName
  readonly idle: number
  readonly busy: number
  readonly starting: number
  readonly waiting: number
  readonly minCapacity: number
  readonly maxCapacity: number
  readonly acquireTimeoutMs: number
}

export class WorkerPool extends Context.Service<
  WorkerPool,
  {
    /**
     * A ready worker, lent to the scope. When the scope ends well the worker goes back to the pool; when it ends in a failure
     * or an interruption the worker may still hold the call, and is destroyed, unless the call was only lost on the way: then
     * the worker goes back when the engine shows that the call has ended. Waits in order of arrival, for at most the
     * function's `acquireTimeoutMs`.
     *
     * One that is frozen is thawed first, or, where its call can do that, lent as it is. A call that could not (`notThawed`) does
     * not count against the function, and may ask for another worker at once, within the same time: one whose engine gave no
     * answer is found again as it was.
     */
    readonly borrow: (spec: FunctionSpec) => Effect.Effect<LentWorker, BorrowFailure, Scope.Scope>
    /**
     * Makes the pools fit these functions: takes over what an earlier Gateway of the same owner left, starts the minimum, retires
     * workers of functions that changed or went. Calls that run go on with the code they started with.
     */
    readonly reconcile: (specs: ReadonlyArray<FunctionSpec>) => Effect.Effect<void>
    /**
     * Destroys what died or has been idle for too long, freezes what has been idle for a while, fills up the minimum. Cheap.
     */
    readonly tidy: Effect.Effect<void>
    /**
     * Asks the engine for containers of ours that belong to no pool. One that is old enough is taken back when it can take a call,
     * left alone while it is in one, and destroyed otherwise.
     */
    readonly sweep: Effect.Effect<void>
    readonly status: Effect.Effect<ReadonlyArray<PoolStatus>>
  }
>()("esb/services/WorkerPool") {}
