/** Answers of a runtime as they come in: whole or streamed, results and errors, within their limits. */
import { Buffer } from "node:buffer"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { InvocationResult } from "#domain/Invocation"
import type { AnswerKind } from "#domain/RuntimeProtocol"
import type { PlatformError } from "#domain/WorkerExit"
import * as Answers from "./Answers.ts"
import type { DoorSettings } from "./DoorSettings.ts"
import * as RequestBody from "./RequestBody.ts"

export type FunctionAnswer = Pick<InvocationResult, "payload" | "contentType" | "errorType">

export interface AnswerListener {
  /** What the caller is to be told. At most once. */
  readonly answered: (answer: FunctionAnswer) => void
  /** The last byte is there, and the runtime has its receipt next. */
  readonly ended: () => void
  /** The connection closed before the last byte. */
  readonly cut: () => void
}

/** An error of the platform, or one the runtime reported, which has told the log itself. */
export type StartError = Omit<PlatformError, "message"> & { readonly message?: string }

const jsonType = "application/json"
const errorTypeHeader = "lambda-runtime-function-error-type"
const errorBodyTrailer = "lambda-runtime-function-error-body"
const responseModeHeader = "lambda-runtime-function-response-mode"

const headerOf = (request: IncomingMessage, name: string): string | undefined => {
  const value = request.headers[name]
  return typeof value === "string" ? value : undefined
}

const contentTypeOf = (request: IncomingMessage): string => request.headers["content-type"] ?? jsonType

/** Most runtime clients send the type of an error in a header, some only in its body. */
const errorTypeOf = (request: IncomingMessage, body: Buffer): string => {
  const told = headerOf(request, errorTypeHeader)
  if (told !== undefined && told !== "") return told
  try {
    const parsed: unknown = JSON.parse(body.toString("utf8"))
    if (typeof parsed === "object" && parsed !== null && "errorType" in parsed) return String(parsed.errorType)
  } catch {
    // An error that is not JSON has no type to tell, and is handed on as it is.
  }
  return "Runtime.Unknown"
}

/** AWS's words, and its order of the fields. */
const tooLarge = (limitBytes: number): FunctionAnswer => {
  const errorType = "Function.ResponseSizeTooLarge"
  const errorMessage = `Response payload size exceeded maximum allowed payload size (${limitBytes} bytes).`
  return { payload: Buffer.from(JSON.stringify({ errorMessage, errorType })), contentType: jsonType, errorType }
}

const badMode = (mode: string): FunctionAnswer => {
  const errorType = "Runtime.InvalidResponseModeHeader"
  const errorMessage = `Invalid function response mode: ${mode}`
  return { payload: Buffer.from(JSON.stringify({ errorMessage, errorType })), contentType: jsonType, errorType }
}

/** A streamed answer that failed on its way says so behind its last byte; its caller, who waited for all of it, gets the error. */
const streamed = (request: IncomingMessage, body: Buffer): FunctionAnswer => {
  const errorType = request.trailers[errorTypeHeader]
  if (errorType === undefined) return { payload: body, contentType: contentTypeOf(request), errorType: undefined }
  const payload = Buffer.from(request.trailers[errorBodyTrailer] ?? "", "base64")
  return { payload, contentType: jsonType, errorType }
}

export const receive = (
  request: IncomingMessage,
  response: ServerResponse,
  kind: AnswerKind,
  settings: DoorSettings,
  listener: AnswerListener
): void => {
  const { answerLimitBytes, drainLimitBytes } = settings
  const mode = headerOf(request, responseModeHeader)
  if (mode !== undefined && mode !== "streaming") {
    listener.ended()
    const errorMessage = "Invalid function response mode"
    Answers.refusal(response, { status: 400, errorType: "InvalidFunctionResponseMode", errorMessage })
    return listener.answered(badMode(mode))
  }
  RequestBody.read(request, answerLimitBytes, drainLimitBytes, {
    whole: (body) => {
      listener.ended()
      Answers.accepted(response)
      if (kind === "InvocationErrorResponse") {
        listener.answered({ payload: body, contentType: contentTypeOf(request), errorType: errorTypeOf(request, body) })
      } else listener.answered(streamed(request, body))
    },
    tooLarge: () => listener.answered(tooLarge(answerLimitBytes)),
    drained: () => {
      listener.ended()
      const errorMessage = `Exceeded maximum allowed payload size (${answerLimitBytes} bytes).`
      Answers.refusal(response, { status: 413, errorType: "RequestEntityTooLarge", errorMessage })
    },
    cut: listener.cut
  })
}

/** The report of an init error. One that is cut off or too long says no more than that there was one. */
export const receiveError = (
  request: IncomingMessage,
  response: ServerResponse,
  settings: DoorSettings,
  onError: (error: StartError) => void
): void => {
  const vague = (): void => onError({ errorType: "Runtime.Unknown", payload: Buffer.from("{}") })
  RequestBody.read(request, settings.bodyLimitBytes, settings.drainLimitBytes, {
    whole: (body) => {
      Answers.accepted(response)
      onError({ errorType: errorTypeOf(request, body), payload: body })
    },
    tooLarge: vague,
    drained: () => Answers.accepted(response),
    cut: vague
  })
}
