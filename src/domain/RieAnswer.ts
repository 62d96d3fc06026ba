/**
 * What the HTTP answer of a Runtime Interface Emulator means. An emulator says little of how a call ended: answers and errors
 * of the function, and its timeout, all come as a 200 without a header of their own, so the body decides.
 * @see https://github.com/aws/aws-lambda-runtime-interface-emulator
 */
import { Result } from "effect"
import { InitFailed, InvocationTimedOut, WorkerExited } from "./Failure.ts"
import { type InvocationResult, limits } from "./Invocation.ts"
import type { Worker } from "./Worker.ts"
import { exitError, type PlatformError, platformError, timeoutError } from "./WorkerExit.ts"

export interface EmulatorAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: Uint8Array
}

/** What is known of the call that was answered. */
export interface EmulatedCall {
  readonly worker: Pick<Worker, "id" | "functionName">
  readonly requestId: string
  /** The worker has answered no call before: an emulator loads the function with the first one. */
  readonly isFirst: boolean
  /** Since the call was sent. */
  readonly elapsedMs: number
}

export type FunctionAnswer = Pick<InvocationResult, "payload" | "contentType" | "errorType">
export type CallFailure = InitFailed | InvocationTimedOut | WorkerExited

const encoder = new TextEncoder()
/** A byte order mark is a character like any other. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

const jsonType = "application/json"
/** What the emulator's HTTP server calls every text that looks like nothing it knows. */
const guessedType = "text/plain; charset=utf-8"

/** How much earlier than ours an emulator's clock may ring. */
const clockSlackMs = 50

/** Members of the error objects that AWS's runtime clients report, whatever their language. */
const errorMembers = new Set(["errorType", "errorMessage", "trace", "stackTrace", "cause", "requestId"])

interface ErrorObject {
  readonly errorType: string
  readonly errorMessage: string
}

/**
 * The error object that a runtime client reports: a type, a message or a stack trace, and no member that none of them writes.
 * An object of the function's own that only resembles one (`{ "errorMessage": "…", "ok": false }`) is an answer.
 */
const errorObjectIn = (text: string): ErrorObject | undefined => {
  if (!text.includes('"errorType"')) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined
  const members: Readonly<Record<string, unknown>> = { ...value }
  const { errorMessage, errorType, stackTrace, trace } = members
  const isTold = typeof errorMessage === "string" || Array.isArray(trace) || Array.isArray(stackTrace)
  if (typeof errorType !== "string" || !isTold) return undefined
  if (!Object.keys(members).every((name) => errorMembers.has(name))) return undefined
  return { errorType, errorMessage: typeof errorMessage === "string" ? errorMessage : "" }
}

const first = (headers: EmulatorAnswer["headers"], name: string): string | undefined => {
  const value = headers[name]
  return typeof value === "object" ? value[0] : value
}

/** Close enough for a label: an object, a list, a string, a number or a word of JSON. */
const isLikeJson = (text: string): boolean =>
  /^\s*(?:\{[^]*\}|\[[^]*\]|"[^]*"|-?\d[\d.eE+-]*|true|false|null)\s*$/.test(text)

/** The function's own type is lost on the way; what the emulator guesses instead tells JSON from nothing. */
const contentTypeOf = ({ headers }: EmulatorAnswer, text: string): string => {
  const told = first(headers, "content-type")
  if (told === undefined) return jsonType
  return told === guessedType && isLikeJson(text) ? jsonType : told
}

const tooLargeType = "Function.ResponseSizeTooLarge"

/** AWS's words, and its order of the members. */
export const tooLarge = (limitBytes: number): FunctionAnswer => {
  const errorMessage = `Response payload size exceeded maximum allowed payload size (${limitBytes} bytes).`
  const payload = encoder.encode(JSON.stringify({ errorMessage, errorType: tooLargeType }))
  return { payload, contentType: jsonType, errorType: tooLargeType }
}

const about = (call: EmulatedCall, error: Pick<PlatformError, "errorType" | "payload">) => ({
  functionName: call.worker.functionName,
  containerId: call.worker.id,
  requestId: call.requestId,
  errorType: error.errorType,
  payload: error.payload,
  logTail: new Uint8Array()
})

export const timedOut = (call: EmulatedCall, limitMs: number): InvocationTimedOut =>
  new InvocationTimedOut(about(call, timeoutError(call.requestId, limitMs)))

/** The worker did something that no emulator does, or that one cannot explain. */
const broken = (call: EmulatedCall, reason: string): WorkerExited =>
  new WorkerExited(about(call, platformError(call.requestId, "Runtime.Unknown", reason)))

/** The worker ended, and nobody told how. */
export const exited = (call: EmulatedCall): WorkerExited => new WorkerExited(about(call, unexplained(call)))

const unexplained = ({ requestId }: EmulatedCall): PlatformError =>
  exitError(requestId, { code: 0, signal: undefined, outOfMemory: false, extension: undefined })

/** Text that only the emulator writes, and that is true: the call did last this long. */
const timeoutIn = (text: string, elapsedMs: number): number | undefined => {
  const [, seconds] = /^Task timed out after (\d+)\.00 seconds$/.exec(text) ?? []
  if (seconds === undefined) return undefined
  const limitMs = Number(seconds) * 1_000
  return elapsedMs >= limitMs - clockSlackMs ? limitMs : undefined
}

const answered = (
  answer: EmulatorAnswer,
  call: EmulatedCall,
  text: string
): Result.Result<FunctionAnswer, CallFailure> => {
  const limitMs = timeoutIn(text, call.elapsedMs)
  if (limitMs !== undefined) return Result.fail(timedOut(call, limitMs))
  const errorType =
    first(answer.headers, "error-type") ??
    errorObjectIn(text)?.errorType ??
    first(answer.headers, "x-amz-function-error")
  if (errorType === tooLargeType) return Result.succeed(tooLarge(limits.responseBytes))
  return Result.succeed({ payload: answer.body, contentType: contentTypeOf(answer, text), errorType })
}

/** What an emulator says of an exit begins with the request's id, which may be one of its own. */
const ownWords = ({ errorMessage, errorType }: ErrorObject, requestId: string): PlatformError =>
  platformError(requestId, errorType, errorMessage.replace(/^RequestId: \S* Error: /, ""))

/**
 * The runtime has ended. The body is then the emulator's own report of the exit, or whatever the runtime had sent before it
 * ended: an error, or even its answer, which without the emulator's word may be no more than a part of one. No body: it ended
 * while it loaded the function.
 */
const ended = (call: EmulatedCall, body: Uint8Array, text: string): CallFailure => {
  if (text === "") {
    return call.isFirst ? new InitFailed(about(call, unexplained(call))) : exited(call)
  }
  const error = errorObjectIn(text)
  if (error === undefined) return exited(call)
  if (error.errorMessage.startsWith("RequestId: "))
    return new WorkerExited(about(call, ownWords(error, call.requestId)))
  const reported = about(call, { errorType: error.errorType, payload: body })
  return call.isFirst ? new InitFailed(reported) : new WorkerExited(reported)
}

/**
 * An error of the function is an answer. Failures: the function could not be loaded, ran too long, or took its runtime with
 * it; the worker must not be called again.
 */
export const read = (answer: EmulatorAnswer, call: EmulatedCall): Result.Result<FunctionAnswer, CallFailure> => {
  const { body, status } = answer
  const text = decoder.decode(body)
  if (status >= 200 && status < 300) return answered(answer, call, text)
  return Result.fail(status === 502 ? ended(call, body, text) : broken(call, `The emulator answered ${status}`))
}
