/** The Lambda Runtime API that a function's runtime client polls. */
import { Context, type Effect, type Redacted, type Scope } from "effect"
import type { FunctionName } from "#domain/FunctionName"
import type { InitFailed, InvocationTimedOut, RuntimeUnavailable, WorkerExited, WorkerUnreachable } from "#domain/Failure"
import type { Invocation, InvocationResult } from "#domain/Invocation"
import type { ContainerId, Phase } from "#domain/Worker"

/** What a door must know of the worker that will poll it. */
export interface DoorSpec {
  readonly containerId: ContainerId
  readonly containerName: string
  readonly functionName: FunctionName
  readonly handler: string
  readonly memoryMiB: number
  /** How long one call may take. */
  readonly timeoutMs: number
}

/** How a worker's process ended. */
export interface ExitStatus {
  readonly code: number | undefined
  readonly signal: string | undefined
  /** Killed for using more memory than it has. */
  readonly outOfMemory: boolean
}

/** One worker's own listener, as the runtime that starts the worker sees it. */
export interface Door {
  /** `host:port` for `AWS_LAMBDA_RUNTIME_API`. */
  readonly endpoint: string
  /** Our own runtime clients send it with every request; others need not know it. */
  readonly token: Redacted.Redacted
  /** From now on this address, and no other, is served; until then connections are parked. */
  readonly admit: (address: string) => void
  /** What the worker wrote. Never blocks; what exceeds the caps is dropped and counted. */
  readonly output: (chunk: Uint8Array) => void
  /** The highest resident size seen so far, for the `REPORT` line. */
  readonly measured: (memoryBytes: number) => void
  /** The worker's process has ended: a call in flight ends with it. */
  readonly exited: (status: ExitStatus) => void
}

/** One listener per worker, bound before the worker exists. `invoke` and `ready` are the other side of it. */
export class RuntimeApi extends Context.Service<
  RuntimeApi,
  {
    /** Bound when this returns; closed, with every connection, when the scope ends. */
    readonly open: (spec: DoorSpec) => Effect.Effect<Door, RuntimeUnavailable, Scope.Scope>
    /**
     * Succeeds at the worker's first poll for a call. Fails with {@link InitFailed} when its runtime reports an init
     * error, ends, or does not poll within the init limit (10 s).
     */
    readonly ready: (id: ContainerId) => Effect.Effect<void, InitFailed | WorkerUnreachable>
    /**
     * Hands the event to the worker and waits for its answer. `WorkerUnreachable` promises that no byte was handed over.
     * Interrupting the caller does not take the event back: the worker is `dirty` from then on.
     */
    readonly invoke: (
      id: ContainerId,
      invocation: Invocation
    ) => Effect.Effect<InvocationResult, InvocationTimedOut | WorkerExited | WorkerUnreachable>
    /** `undefined` when no door has this id. */
    readonly phase: (id: ContainerId) => Phase | undefined
  }
>()("esb/services/RuntimeApi") {}
