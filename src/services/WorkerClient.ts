/** How calls reach a worker, wherever it is. */
import { Context, type Effect } from "effect"
import type { InitFailed, InvocationTimedOut, WorkerExited, WorkerUnreachable } from "#domain/Failure"
import type { AnswerStream, Invocation, InvocationResult } from "#domain/Invocation"
import type { LentWorker, Worker } from "#domain/Worker"

export type SendFailure = InitFailed | InvocationTimedOut | WorkerExited | WorkerUnreachable

export class WorkerClient extends Context.Service<
  WorkerClient,
  {
    /** Succeeds when the worker can take its first call. */
    readonly ready: (worker: Worker) => Effect.Effect<void, InitFailed | WorkerUnreachable>
    /**
     * One call. `WorkerUnreachable` promises that no byte of the event reached the runtime; the other failures mean that the
     * worker must not be used again. A client that cannot see whether a worker is ready learns only here that it never will be:
     * `InitFailed`.
     *
     * A worker that is frozen is thawed first, as by `ContainerRuntime.resume`; its function's `Timeout` does not count that.
     * Where it cannot be, this is `WorkerUnreachable` with `notThawed`. Only for workers of which {@link thaws} says so.
     *
     * An answer that the function streams goes into `stream`, where one is given, and the client can; the result then has an
     * empty payload, or the error that ended the stream.
     */
    readonly send: (
      worker: LentWorker,
      invocation: Invocation,
      stream?: AnswerStream
    ) => Effect.Effect<InvocationResult, SendFailure>
    /** A cheap hint: `false` means the worker is certainly gone or spoilt. */
    readonly isAlive: (worker: Worker) => boolean
    /** Whether {@link send} would thaw this worker, as far as is known; otherwise it has to run before it is called. */
    readonly thaws: (worker: Worker) => boolean
  }
>()("esb/services/WorkerClient") {}
