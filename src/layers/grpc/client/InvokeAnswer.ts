/** What an Agent's answer to `InvokeWorker` means. */
import { Result } from "effect"
import type { InvocationResult } from "#domain/Invocation"
import * as InvocationHeaders from "#domain/InvocationHeaders"
import * as RieAnswer from "#domain/RieAnswer"
import type { InvokeWorkerResponse } from "../generated/agent_pb.ts"

/** Another Agent hands on what the emulator in the worker's image has answered, which says nothing of what the call took. */
const ofEmulator = (
  { body, headers, statusCode: status }: InvokeWorkerResponse,
  call: RieAnswer.EmulatedCall
): Result.Result<InvocationResult, RieAnswer.CallFailure> =>
  Result.map(RieAnswer.read({ status, headers, body }, call), (answer) => ({
    ...answer,
    report: { durationMs: call.elapsedMs, initDurationMs: undefined, maxMemoryBytes: 0 },
    logTail: new Uint8Array()
  }))

export const read = (
  response: InvokeWorkerResponse,
  call: RieAnswer.EmulatedCall
): Result.Result<InvocationResult, RieAnswer.CallFailure> =>
  InvocationHeaders.isOurs(response.headers)
    ? Result.succeed({ ...InvocationHeaders.toResult(response.headers), payload: response.body })
    : ofEmulator(response, call)
