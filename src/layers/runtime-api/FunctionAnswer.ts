/** Answers of a runtime as they come in: whole or streamed, results and errors, within their limits. */
import { Buffer } from "node:buffer"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { AnswerStream, InvocationResult } from "#domain/Invocation"
import type { AnswerKind } from "#domain/RuntimeProtocol"
import type { PlatformError } from "#domain/WorkerExit"
import * as Answers from "./Answers.ts"
import type { DoorSettings } from "./DoorSettings.ts"
import * as RequestBody from "./RequestBody.ts"

export type FunctionAnswer = Pick<InvocationResult, "payload" | "contentType" | "errorType">

export interface AnswerListener {
  /** Where a streamed result goes as it comes; without one it is told when it is whole. */
  readonly stream: AnswerStream | undefined
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

/** A streamed answer that failed on its way says so behind its last byte. */
const lateErrorOf = (request: IncomingMessage): FunctionAnswer | undefined => {
  const errorType = request.trailers[errorTypeHeader]
  if (errorType === undefined) return undefined
  return { payload: Buffer.from(request.trailers[errorBodyTrailer] ?? "", "base64"), contentType: jsonType, errorType }
}

/** What is told alike of a body that is read whole and of one that is passed on. */
const endings = (response: ServerResponse, { answerLimitBytes }: DoorSettings, listener: AnswerListener) => ({
  tooLarge: () => listener.answered(tooLarge(answerLimitBytes)),
  drained: () => {
    listener.ended()
    const errorMessage = `Exceeded maximum allowed payload size (${answerLimitBytes} bytes).`
    Answers.refusal(response, { status: 413, errorType: "RequestEntityTooLarge", errorMessage })
  },
  cut: listener.cut
})

/** As fast as the caller takes it: while he rests, the runtime's connection does. */
const passOn = (
  request: IncomingMessage,
  response: ServerResponse,
  settings: DoorSettings,
  listener: AnswerListener,
  stream: AnswerStream
): void => {
  const contentType = contentTypeOf(request)
  stream.begin(contentType)
  RequestBody.follow(request, settings.answerLimitBytes, settings.drainLimitBytes, {
    ...endings(response, settings, listener),
    chunk: (chunk) => {
      if (stream.write(chunk)) return
      request.pause()
      stream.drained(() => request.resume())
    },
    ended: () => {
      listener.ended()
      Answers.accepted(response)
      listener.answered(lateErrorOf(request) ?? { payload: Buffer.alloc(0), contentType, errorType: undefined })
    }
  })
}

export const receive = (
  request: IncomingMessage,
  response: ServerResponse,
  kind: AnswerKind,
  settings: DoorSettings,
  listener: AnswerListener
): void => {
  const mode = headerOf(request, responseModeHeader)
  if (mode !== undefined && mode !== "streaming") {
    listener.ended()
    const errorMessage = "Invalid function response mode"
    Answers.refusal(response, { status: 400, errorType: "InvalidFunctionResponseMode", errorMessage })
    return listener.answered(badMode(mode))
  }
  if (mode === "streaming" && kind === "InvocationResponse" && listener.stream !== undefined) {
    return passOn(request, response, settings, listener, listener.stream)
  }
  RequestBody.read(request, settings.answerLimitBytes, settings.drainLimitBytes, {
    ...endings(response, settings, listener),
    whole: (body) => {
      listener.ended()
      Answers.accepted(response)
      const contentType = contentTypeOf(request)
      if (kind === "InvocationErrorResponse") {
        listener.answered({ payload: body, contentType, errorType: errorTypeOf(request, body) })
        // Who waited for all of a streamed answer gets its error instead.
      } else listener.answered(lateErrorOf(request) ?? { payload: body, contentType, errorType: undefined })
    }
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
