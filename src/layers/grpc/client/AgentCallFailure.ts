/** What it means that an Agent did not answer the call of a worker: above all, whether the event may have reached the function. */
import { status } from "@grpc/grpc-js"
import { InvocationTimedOut, WorkerExited, WorkerUnreachable } from "#domain/Failure"
import type { Invocation } from "#domain/Invocation"
import type { Worker } from "#domain/Worker"
import { lostError, timeoutError } from "#domain/WorkerExit"
import type { SendFailure } from "#services/WorkerClient"
import { type AgentFailure, declared } from "./AgentFailure.ts"

/** By the contract an Agent refuses with these before a worker has seen any of the call. */
const refusedUnseen: ReadonlySet<status> = new Set([
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.PERMISSION_DENIED,
  status.FAILED_PRECONDITION,
  status.UNIMPLEMENTED,
  status.UNAUTHENTICATED
])

/**
 * `UNAVAILABLE` without the failure itself may come from the Agent, which promises that the event reached nobody, or stand for
 * a connection that broke after the Agent had got it. Only the second is safe to assume.
 */
export const ofCall =
  ({ functionName, id: containerId }: Worker, { requestId }: Invocation, limitMs: number) =>
  (failure: AgentFailure): SendFailure => {
    const sent = declared(failure, "InitFailed", "InvocationTimedOut", "WorkerExited", "WorkerUnreachable")
    if (sent !== undefined) return sent
    const unseen =
      failure._tag === "AgentUnreachable" ||
      refusedUnseen.has(failure.error.code) ||
      // Of an Agent of ours: it could not look for the worker, or would not take the event.
      declared(failure, "RuntimeUnavailable", "PayloadTooLarge") !== undefined
    if (unseen) return new WorkerUnreachable({ containerId, detail: failure.message })
    const about = { functionName, containerId, requestId, logTail: new Uint8Array() }
    return failure.error.code === status.DEADLINE_EXCEEDED
      ? new InvocationTimedOut({ ...about, ...timeoutError(requestId, limitMs) })
      : new WorkerExited({ ...about, ...lostError(requestId, failure.message) })
  }
