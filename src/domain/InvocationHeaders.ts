/**
 * How a call travels between a Gateway and an Agent: its payload as a body, all else as header fields, names in lower case.
 * Where AWS has a name for something, it is AWS's.
 *
 * Text in them may come from a function and be anything. What HTTP would refuse or change is percent-encoded as UTF-8: every
 * character that is not printable ASCII, `%` itself, and a space at either end.
 */
import { Result } from "effect"
import * as Base64 from "effect/encoding/Base64"
import type { Invocation, InvocationResult } from "./Invocation.ts"

export type Headers = Readonly<Record<string, string>>

/** As an HTTP library hands them over; of several values the first counts. */
export type ReceivedHeaders = Readonly<Record<string, string | ReadonlyArray<string> | undefined>>

/** What a call says besides its payload; the worker it is sent to knows its function. */
export type CallHead = Omit<Invocation, "payload" | "functionName">

/** Everything of a result but its payload. */
export type ResultHead = Omit<InvocationResult, "payload">

const names = {
  requestId: "x-amzn-requestid",
  traceId: "x-amzn-trace-id",
  clientContext: "x-amz-client-context",
  logType: "x-amz-log-type",
  invokedArn: "esb-invoked-function-arn",
  contentType: "content-type",
  functionError: "x-amz-function-error",
  errorType: "esb-error-type",
  logResult: "x-amz-log-result",
  durationMs: "esb-duration-ms",
  initDurationMs: "esb-init-duration-ms",
  maxMemoryBytes: "esb-max-memory-bytes"
} as const

/** Request ids become a part of paths and headers: whoever lets a call in from a stranger asks this first. */
export const isRequestId = (text: string): boolean => /^[\w-]{1,128}$/.test(text)

/** What {@link isRequestId} wants, as the sentence that refuses it. */
export const requestIdRule = `must give as ${names.requestId} 1 to 128 characters of A-Z, a-z, 0-9, - and _`

/** A byte order mark is a character like any other. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

/** Characters of one value. The rest of a longer one is cut off: header lists are limited, and no name needs as many. */
const longestText = 4_096

/** Bytes that a header list made here may take: two texts of which every character becomes nine, the log, and the rest. */
export const longestListBytes = 131_072

const unsafe = /[^\u0020-\u007e]|%|^ | $/
const eachUnsafe = /[^\u0020-\u007e]+|%|^ | $/g

/** The text as a header value. Surrogates without their other half become U+FFFD. */
export const ofText = (text: string): string => {
  const whole = text.length > longestText ? text.slice(0, longestText) : text
  return unsafe.test(whole) ? whole.toWellFormed().replace(eachUnsafe, encodeURIComponent) : whole
}

/** A value that only looks encoded, from somebody who does not encode, is taken as it is. */
export const toText = (value: string): string => {
  if (!value.includes("%")) return value
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

const first = (headers: ReceivedHeaders, name: string): string | undefined => {
  const value = headers[name]
  return typeof value === "object" ? value[0] : value
}

const textIn = (headers: ReceivedHeaders, name: string): string | undefined => {
  const value = first(headers, name)
  return value === undefined ? undefined : toText(value)
}

const decodeText = (value: string): string | undefined =>
  Result.getOrUndefined(Result.map(Base64.decode(value), (bytes) => decoder.decode(bytes)))

/** Whether an answer was told by an Agent of ours: it always says how long the call took. */
export const isOurs = (headers: ReceivedHeaders): boolean => names.durationMs in headers

/** Figures that are missing or no numbers are `undefined`: they are told, never acted on. */
const numberIn = (headers: ReceivedHeaders, name: string): number | undefined => {
  const text = first(headers, name)
  const value = Number(text)
  return text === undefined || text === "" || !Number.isFinite(value) ? undefined : value
}

export const ofCall = ({ clientContext, invokedArn, requestId, traceId, wantsLogTail }: CallHead): Headers => {
  const headers: Record<string, string> = {
    [names.requestId]: ofText(requestId),
    [names.traceId]: ofText(traceId),
    [names.invokedArn]: ofText(invokedArn)
  }
  if (clientContext !== undefined) headers[names.clientContext] = Base64.encode(clientContext)
  if (wantsLogTail) headers[names.logType] = "Tail"
  return headers
}

/** A client context that is no base64 is none. `otherwise` fills in what an older or foreign caller does not say. */
export const toCall = (
  headers: ReceivedHeaders,
  otherwise: { readonly requestId: string; readonly arn: string }
): CallHead => {
  const clientContext = first(headers, names.clientContext)
  return {
    requestId: textIn(headers, names.requestId) ?? otherwise.requestId,
    traceId: textIn(headers, names.traceId) ?? "",
    invokedArn: textIn(headers, names.invokedArn) ?? otherwise.arn,
    clientContext: clientContext === undefined ? undefined : decodeText(clientContext),
    wantsLogTail: first(headers, names.logType) === "Tail"
  }
}

export const ofResult = ({ contentType, errorType, logTail, report }: ResultHead): Headers => {
  const headers: Record<string, string> = {
    [names.contentType]: ofText(contentType),
    [names.durationMs]: String(report.durationMs),
    [names.maxMemoryBytes]: String(report.maxMemoryBytes)
  }
  if (report.initDurationMs !== undefined) headers[names.initDurationMs] = String(report.initDurationMs)
  if (errorType !== undefined) {
    headers[names.functionError] = "Unhandled"
    headers[names.errorType] = ofText(errorType)
  }
  if (logTail.length > 0) headers[names.logResult] = Base64.encode(logTail)
  return headers
}

/** Who does not tell the type of an error tells at least that it is one. */
export const toResult = (headers: ReceivedHeaders): ResultHead => {
  const logResult = first(headers, names.logResult)
  return {
    contentType: textIn(headers, names.contentType) ?? "application/json",
    errorType: textIn(headers, names.errorType) ?? first(headers, names.functionError),
    logTail:
      logResult === undefined ? new Uint8Array() : Result.getOrElse(Base64.decode(logResult), () => new Uint8Array()),
    report: {
      durationMs: numberIn(headers, names.durationMs) ?? 0,
      initDurationMs: numberIn(headers, names.initDurationMs),
      maxMemoryBytes: numberIn(headers, names.maxMemoryBytes) ?? 0
    }
  }
}
