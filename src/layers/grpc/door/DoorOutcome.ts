/** What it means how a call by the data door ended: above all, whether the event may have reached the function. */
import { Option } from "effect"
import { type Failure, WorkerExited, WorkerUnreachable } from "#domain/Failure"
import type { Invocation, InvocationResult } from "#domain/Invocation"
import * as InvocationHeaders from "#domain/InvocationHeaders"
import type { LentWorker, Worker } from "#domain/Worker"
import { lostError } from "#domain/WorkerExit"
import type { SendFailure } from "#services/WorkerClient"
import { failureHeader, lateFailureTrailer, latePayloadTrailer } from "./DoorAnswer.ts"
import type { Answer, Broken, NotSent } from "./DoorExchange.ts"
import * as Status from "../Status.ts"

const base64 = (headers: InvocationHeaders.ReceivedHeaders, name: string): Buffer => {
  const value = headers[name]
  return typeof value === "string" ? Buffer.from(value, "base64") : Buffer.alloc(0)
}

/** The failure that the Agent tells. `undefined`: it tells none, or one that nobody here knows. */
export const declaredIn = ({ body, headers, wasStreamed }: Answer): Failure | undefined => {
  const text = wasStreamed ? base64(headers, lateFailureTrailer) : Buffer.from(body)
  return Option.getOrUndefined(Status.ofText(text.toString("utf8")))
}

/** The payload of an answer that was streamed has gone its way; what stands behind it is the error that ended it. */
const resultOf = (answer: Answer): InvocationResult => {
  const head = InvocationHeaders.toResult(answer.headers)
  if (!answer.wasStreamed) return { ...head, payload: answer.body }
  const contentType = head.errorType === undefined ? head.contentType : "application/json"
  return { ...head, contentType, payload: base64(answer.headers, latePayloadTrailer) }
}

/** Nobody can tell whether the function has run, or still does. */
const uncertain = ({ functionName, id }: Worker, { requestId }: Invocation, reason: string): WorkerExited =>
  new WorkerExited({
    functionName,
    containerId: id,
    requestId,
    logTail: new Uint8Array(),
    ...lostError(requestId, reason)
  })

export const unreachable = ({ id }: Worker, detail: string): WorkerUnreachable =>
  new WorkerUnreachable({ containerId: id, detail })

const isOfCalls = (failure: Failure): failure is SendFailure =>
  failure._tag === "InitFailed" ||
  failure._tag === "InvocationTimedOut" ||
  failure._tag === "WorkerExited" ||
  failure._tag === "WorkerUnreachable"

/** No byte of the event has reached the function, and the worker may be as frozen as before. */
const notThawed = ({ id }: Worker, detail: string, notThawed: "useless" | "away"): WorkerUnreachable =>
  new WorkerUnreachable({ containerId: id, detail, notThawed })

/** Whether the Agent is older than the wish to thaw a worker for its call. */
export const knowsNoThaw = ({ isFrozen }: LentWorker, answer: Answer): boolean =>
  isFrozen === true && answer.status !== 200 && declaredIn(answer)?._tag === "RouteNotFound"

/** Every failure that is not one of calls says why there was none. */
const ofFailure = (worker: LentWorker, failure: Failure): SendFailure => {
  if (isOfCalls(failure)) return failure
  if (worker.isFrozen !== true) return unreachable(worker, failure.message)
  switch (failure._tag) {
    case "ContainerNotFound":
    case "NotOwner":
      return notThawed(worker, failure.message, "useless")
    case "RuntimeUnavailable":
      return notThawed(worker, failure.message, failure.isAway === true ? "away" : "useless")
    case "RouteNotFound":
      return notThawed(worker, "its Agent does not thaw workers for their calls", "away")
    default:
      return unreachable(worker, failure.message)
  }
}

/**
 * An answer that is neither a result nor a failure of ours comes from a part that is older, newer, or somebody else's. With a
 * status from 400 to 499 HTTP has it that the request was at fault, and nothing was done.
 */
export const ofAnswer = (
  worker: LentWorker,
  invocation: Invocation,
  answer: Answer
): InvocationResult | SendFailure => {
  const { headers, status } = answer
  if (headers[failureHeader] === undefined && status === 200) return resultOf(answer)
  const failure = declaredIn(answer)
  if (failure !== undefined) return ofFailure(worker, failure)
  const reason = `the Agent answered with status ${status}`
  return status >= 400 && status < 500 ? unreachable(worker, reason) : uncertain(worker, invocation, reason)
}

export const ofBreak = (worker: LentWorker, invocation: Invocation, broken: NotSent | Broken): SendFailure => {
  if (broken._tag === "Broken") {
    return uncertain(worker, invocation, `the connection to the Agent was lost during the call: ${broken.detail}`)
  }
  const reason = `its Agent cannot be reached: ${broken.detail}`
  return worker.isFrozen === true ? notThawed(worker, reason, "away") : unreachable(worker, reason)
}
