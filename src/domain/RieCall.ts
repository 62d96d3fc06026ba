/**
 * What a Runtime Interface Emulator is told of a call. It hands the function nothing but the event and the client context, so
 * the ids travel in there, where functions find them as `custom.trace_id` and `custom.aws_request_id`.
 */
import * as Base64 from "effect/encoding/Base64"
import type { Invocation } from "./Invocation.ts"

export const path = "/2015-03-31/functions/function/invocations"

const objectIn = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The emulator hands these bytes on as a header, which not every runtime client reads as UTF-8. */
const inAscii = (json: string): string =>
  json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)

/**
 * The caller's own client context with our ids under `custom`. One in which there is no room for them, because it or its
 * `custom` is no object, is handed on as it is.
 */
export const clientContext = ({ clientContext: given, requestId, traceId }: Invocation): string => {
  const context = given === undefined ? {} : objectIn(parsed(given))
  const custom = context === undefined || context["custom"] === undefined ? {} : objectIn(context["custom"])
  if (context === undefined || custom === undefined) return given ?? "{}"
  const ids = { ...(traceId === "" ? {} : { trace_id: traceId }), aws_request_id: requestId }
  return inAscii(JSON.stringify({ ...context, custom: { ...custom, ...ids } }))
}

/** What HTTP lets through in a header. */
const isPlain = (text: string): boolean => /^[\u0020-\u007e]+$/.test(text)

/** Newer emulators take the request id from its header; the trace id, none is known to hand on. */
export const headersOf = (invocation: Invocation): Readonly<Record<string, string>> => {
  const { requestId, traceId } = invocation
  return {
    "content-type": "application/json",
    ...(isPlain(requestId) ? { "x-amzn-requestid": requestId } : {}),
    ...(isPlain(traceId) ? { "x-amzn-trace-id": traceId } : {}),
    "x-amz-client-context": Base64.encode(clientContext(invocation))
  }
}
