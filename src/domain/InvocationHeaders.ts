/**
 * How a call travels between a Gateway and an Agent: its payload as a body, all else as header fields, names in lower case.
 * Where AWS has a name for something, it is AWS's.
 */
import { Option, Schema } from "effect"
import type { Invocation, InvocationResult } from "./Invocation.ts"

export type Headers = Readonly<Record<string, string>>

/** What a call says besides its payload; the worker it is sent to knows its function. */
export type CallHead = Omit<Invocation, "payload" | "functionName">

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

const Base64Text = Schema.StringFromBase64
const Base64Bytes = Schema.Uint8ArrayFromBase64
const encodeText = Schema.encodeSync(Base64Text)
const decodeText = Schema.decodeOption(Base64Text)
const encodeBytes = Schema.encodeSync(Base64Bytes)
const decodeBytes = Schema.decodeOption(Base64Bytes)

export const ofCall = ({ clientContext, invokedArn, requestId, traceId, wantsLogTail }: CallHead): Headers => ({
  [names.requestId]: requestId,
  [names.traceId]: traceId,
  [names.invokedArn]: invokedArn,
  ...(clientContext === undefined ? {} : { [names.clientContext]: encodeText(clientContext) }),
  ...(wantsLogTail ? { [names.logType]: "Tail" } : {})
})

/** A client context that is no base64 is none. `otherwise` fills in what an older or foreign caller does not say. */
export const toCall = (
  headers: Headers,
  otherwise: { readonly requestId: string; readonly arn: string }
): CallHead => ({
  requestId: headers[names.requestId] ?? otherwise.requestId,
  traceId: headers[names.traceId] ?? "",
  invokedArn: headers[names.invokedArn] ?? otherwise.arn,
  clientContext: Option.getOrUndefined(decodeText(headers[names.clientContext] ?? "!")),
  wantsLogTail: headers[names.logType] === "Tail"
})

/** Everything of a result but its payload. */
export type ResultHead = Omit<InvocationResult, "payload">

export const ofResult = ({ contentType, errorType, logTail, report }: ResultHead): Headers => ({
  [names.contentType]: contentType,
  [names.durationMs]: String(report.durationMs),
  [names.maxMemoryBytes]: String(report.maxMemoryBytes),
  ...(report.initDurationMs === undefined ? {} : { [names.initDurationMs]: String(report.initDurationMs) }),
  ...(errorType === undefined ? {} : { [names.functionError]: "Unhandled", [names.errorType]: errorType }),
  ...(logTail.length === 0 ? {} : { [names.logResult]: encodeBytes(logTail) })
})

const numberIn = (text: string | undefined): number | undefined => {
  const value = Number(text)
  return text === undefined || text === "" || !Number.isFinite(value) ? undefined : value
}

/** Figures that are missing or no numbers are zero: they are told, never acted on. */
export const toResult = (headers: Headers): ResultHead => ({
  contentType: headers[names.contentType] ?? "application/json",
  errorType:
    headers[names.errorType] ?? (headers[names.functionError] === undefined ? undefined : headers[names.functionError]),
  logTail: Option.getOrElse(decodeBytes(headers[names.logResult] ?? ""), () => new Uint8Array()),
  report: {
    durationMs: numberIn(headers[names.durationMs]) ?? 0,
    initDurationMs: numberIn(headers[names.initDurationMs]),
    maxMemoryBytes: numberIn(headers[names.maxMemoryBytes]) ?? 0
  }
})
