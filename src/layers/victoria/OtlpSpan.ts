/**
 * A finished operation as OpenTelemetry's protocol tells it in JSON.
 * @see https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
import type { FinishedSpan } from "#domain/Span"
import { nanoseconds } from "./Nanoseconds.ts"
import * as TraceId from "./TraceId.ts"

/** `SPAN_KIND_SERVER` and `SPAN_KIND_CLIENT` */
const kinds = { server: 2, client: 3 } as const

/** `STATUS_CODE_ERROR` */
const failed = 2

const valueOf = (value: string | number | boolean) => {
  if (typeof value === "string") return { stringValue: value }
  if (typeof value === "boolean") return { boolValue: value }
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value }
}

const attribute = ([key, value]: readonly [string, string | number | boolean]) => ({ key, value: valueOf(value) })

/** A parent of another form is nobody's span. */
const isSpanId = (id: string | undefined): boolean => id !== undefined && /^[0-9a-f]{16}$/.test(id)

export const of = (span: FinishedSpan): string => {
  const { attributes, beganAtUnixMs, durationMs, error, functionName, id, kind, name, requestId, trace } = span
  const ids = Object.entries({ aws_request_id: requestId, function_name: functionName, trace_root: trace.root })
  return JSON.stringify({
    traceId: TraceId.of(trace.root),
    spanId: id,
    parentSpanId: isSpanId(trace.parent) ? trace.parent : undefined,
    name,
    kind: kinds[kind],
    startTimeUnixNano: nanoseconds(beganAtUnixMs),
    endTimeUnixNano: nanoseconds(beganAtUnixMs + durationMs),
    attributes: [
      ...Object.entries(attributes).map(attribute),
      ...ids.flatMap(([key, value]) => (value === undefined ? [] : [attribute([key, value])]))
    ],
    status: error === undefined ? {} : { code: failed, message: error }
  })
}

/** What a request is made of: the operations of one program. */
export const request = (service: string, spans: ReadonlyArray<string>): string => {
  const resource = JSON.stringify({ attributes: [attribute(["service.name", service])] })
  return `{"resourceSpans":[{"resource":${resource},"scopeSpans":[{"scope":{"name":"esb"},"spans":[${spans.join(",")}]}]}]}`
}
