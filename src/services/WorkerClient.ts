/** How calls reach a worker, wherever it is. */
import { Context, type Effect } from "effect"
import type { InitFailed, InvocationTimedOut, WorkerExited, WorkerUnreachable } from "#domain/Failure"
import type { Invocation, InvocationResult } from "#domain/Invocation"
import type { Worker } from "#domain/Worker"

export class WorkerClient extends Context.Service<
  WorkerClient,
  {
    /** Succeeds when the worker can take its first call. */
    readonly ready: (worker: Worker) => Effect.Effect<void, InitFailed | WorkerUnreachable>
    /**
     * One call. `WorkerUnreachable` promises that no byte of the event reached the runtime; the other failures mean that the
     * worker must not be used again.
     */
    readonly send: (
      worker: Worker,
      invocation: Invocation
    ) => Effect.Effect<InvocationResult, InvocationTimedOut | WorkerExited | WorkerUnreachable>
    /** A cheap hint: `false` means the worker is certainly gone or spoilt. */
    readonly isAlive: (worker: Worker) => boolean
  }
>()("esb/services/WorkerClient") {}
