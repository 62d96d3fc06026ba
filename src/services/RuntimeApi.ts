/** The Lambda Runtime API that a function's runtime client polls. */
import { Context, type Effect, type Redacted, type Scope } from "effect"
import type {
  InitFailed,
  InvocationTimedOut,
  RuntimeUnavailable,
  WorkerExited,
  WorkerUnreachable
} from "#domain/Failure"
import type { FunctionName } from "#domain/FunctionName"
import type { AnswerStream, Invocation, InvocationResult } from "#domain/Invocation"
import type { ContainerId, OwnerId, Phase } from "#domain/Worker"
import type { ExitStatus } from "#domain/WorkerExit"

/** What a door must know of the worker that will poll it. */
export interface DoorSpec {
  readonly containerId: ContainerId
  readonly containerName: string
  readonly functionName: FunctionName
  /** Whose worker it is; its log belongs to nobody else. */
  readonly owner: OwnerId
  readonly handler: string
  readonly memoryMiB: number
  /** How long one call may take. */
  readonly timeoutMs: number
  /** External extensions that are started beside the runtime: the worker is ready when they are, too. */
  readonly extensionNames: ReadonlyArray<string>
}

/** What a worker goes by that was started before this process: its door has to be where it was. */
export interface FormerDoor {
  /** `host:port`, as its `AWS_LAMBDA_RUNTIME_API` says it. */
  readonly endpoint: string
  readonly token: Redacted.Redacted
}

/** Why a worker is shut down, as its extensions are told. */
export type ShutdownReason = "spindown" | "timeout" | "failure"

/** One worker's own listener, as the runtime that starts the worker sees it. */
export interface Door {
  /** `host:port` for `AWS_LAMBDA_RUNTIME_API`. */
  readonly endpoint: string
  readonly address: { readonly host: string; readonly port: number }
  /** Our own runtime clients send it with every request; others need not know it. */
  readonly token: Redacted.Redacted
  /** From now on this address, and no other, is served; until then requests wait. The init limit starts here. */
  readonly admit: (address: string) => void
  /** Succeeds with the first request that is served: somebody in the worker speaks the Runtime API. */
  readonly contacted: Effect.Effect<void>
  /** What the worker wrote. Never blocks; what exceeds the caps is dropped and counted. */
  readonly output: (chunk: Uint8Array) => void
  /** The highest resident size seen so far, for the `REPORT` line. */
  readonly measured: (memoryBytes: number) => void
  /** How many events were handed over so far. Standing still, and not `busy`: nothing new to measure. */
  readonly callCount: () => number
  /** When the last of them was; `undefined` before the first. */
  readonly lastCallAtUnixMs: () => number | undefined
  /**
   * Sends `SHUTDOWN` to the extensions that listen for it, as soon as they poll, and takes no further call. Returns how many
   * there are: with none there is nobody to wait for.
   */
  readonly shutdown: (reason: ShutdownReason, deadlineUnixMs: number) => number
  /** A process of the worker has ended, and its output has been read: a call in flight ends with it. */
  readonly exited: (status: ExitStatus) => void
}

/** One listener per worker, bound before the worker exists. `invoke` and `ready` are the other side of it. */
export class RuntimeApi extends Context.Service<
  RuntimeApi,
  {
    /**
     * Bound when this returns; closed, with every connection, when the scope ends. With a `former` door it is bound exactly
     * there, or `RuntimeUnavailable` where that cannot be: the worker has started long ago, and is ready when it has polled
     * again. One that does not within the init limit was lost, and has not failed to start.
     */
    readonly open: (spec: DoorSpec, former?: FormerDoor) => Effect.Effect<Door, RuntimeUnavailable, Scope.Scope>
    /**
     * Succeeds at the worker's first poll for a call. Fails with {@link InitFailed} when its runtime reports an init
     * error, ends, or does not poll within the init limit (10 s).
     */
    readonly ready: (id: ContainerId) => Effect.Effect<void, InitFailed | WorkerUnreachable>
    /**
     * Hands the event to the worker and waits for its answer; a worker that has not polled again since its last call is
     * waited for up to a limit. One call at a time: a second one is refused as `WorkerUnreachable`, which always promises
     * that no byte was handed over. Interrupting the caller does not take the event back: the worker is `dirty` from then on.
     *
     * An answer that the function streams goes into `stream`, where one is given, as it comes; the result then has an empty
     * payload, or, if the function failed on its way, its error. Every other answer is in the result.
     */
    readonly invoke: (
      id: ContainerId,
      invocation: Invocation,
      stream?: AnswerStream
    ) => Effect.Effect<InvocationResult, InvocationTimedOut | WorkerExited | WorkerUnreachable>
    /** `undefined` when no door has this id. */
    readonly phase: (id: ContainerId) => Phase | undefined
  }
>()("esb/services/RuntimeApi") {}
