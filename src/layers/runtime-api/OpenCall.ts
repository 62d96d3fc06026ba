/** A call that a door has taken on: who waits for it, since when, and until when. */
import { Effect } from "effect"
import { InvocationTimedOut, WorkerExited, WorkerUnreachable } from "#domain/Failure"
import type { AnswerStream, Invocation, InvocationResult } from "#domain/Invocation"
import type { PlatformError } from "#domain/WorkerExit"
import type { DoorSpec } from "#services/RuntimeApi"
import { OpenStream } from "./OpenStream.ts"

export type CallFailure = InvocationTimedOut | WorkerExited | WorkerUnreachable
export type Resume = (outcome: Effect.Effect<InvocationResult, CallFailure>) => void

export interface OpenCall {
  readonly invocation: Invocation
  readonly resume: Resume
  readonly stream: OpenStream | undefined
  /** From `performance.now()`, once the event is handed over. Before that no byte of it has left. */
  handedOverAtMs: number | undefined
  /** The limit that runs now: to the poll, to the answer, or to the news of an exit. */
  timer: NodeJS.Timeout | undefined
}

export const open = (invocation: Invocation, resume: Resume, stream: AnswerStream | undefined): OpenCall => ({
  invocation,
  resume,
  stream: stream === undefined ? undefined : new OpenStream(stream),
  handedOverAtMs: undefined,
  timer: undefined
})

/** Replaces the limit that runs. */
export const limit = (call: OpenCall, afterMs: number, onOver: () => void): void => {
  clearTimeout(call.timer)
  call.timer = setTimeout(onOver, afterMs)
}

const about = (spec: DoorSpec, call: OpenCall, error: PlatformError, logTail: Uint8Array) => ({
  functionName: spec.functionName,
  containerId: spec.containerId,
  requestId: call.invocation.requestId,
  errorType: error.errorType,
  payload: error.payload,
  logTail
})

export const timedOut = (spec: DoorSpec, call: OpenCall, error: PlatformError, logTail: Uint8Array) =>
  Effect.fail(new InvocationTimedOut(about(spec, call, error, logTail)))

export const exited = (spec: DoorSpec, call: OpenCall, error: PlatformError, logTail: Uint8Array) =>
  Effect.fail(new WorkerExited(about(spec, call, error, logTail)))

export const unreachable = (spec: DoorSpec, detail: string) =>
  Effect.fail(new WorkerUnreachable({ containerId: spec.containerId, detail }))
