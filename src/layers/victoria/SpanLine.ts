/**
 * A finished operation as a line of VictoriaLogs, in the job `traces`. What VictoriaTraces has a name for bears that name;
 * `trace_id` is the whole `X-Amzn-Trace-Id`, as in records, and `otel_trace_id` the trace as VictoriaTraces knows it.
 * @see https://docs.victoriametrics.com/victoriatraces/keyconcepts/
 */
import type { FinishedSpan } from "#domain/Span"
import * as TraceContext from "#domain/TraceContext"
import { nanoseconds } from "./Nanoseconds.ts"
import * as TraceId from "./TraceId.ts"

const spelled = (attributes: FinishedSpan["attributes"]): Readonly<Record<string, unknown>> => {
  const fields: Record<string, unknown> = {}
  for (const name in attributes) fields[`span_attr:${name}`] = attributes[name]
  return fields
}

/** @param service whose operation it is: `esb-gateway` */
export const of = (span: FinishedSpan, service: string): string => {
  const endedAtUnixMs = span.beganAtUnixMs + span.durationMs
  return JSON.stringify({
    _time: new Date(endedAtUnixMs).toISOString(),
    level: span.error === undefined ? "INFO" : "ERROR",
    logger: "trace",
    message: `${span.name} ${span.error ?? "ok"} ${span.durationMs.toFixed(2)} ms`,
    container_name: service,
    job: "traces",
    trace_id: TraceContext.format(span.trace),
    otel_trace_id: TraceId.of(span.trace.root),
    span_id: span.id,
    parent_span_id: span.trace.parent,
    name: span.name,
    kind: span.kind,
    start_time_unix_nano: nanoseconds(span.beganAtUnixMs),
    end_time_unix_nano: nanoseconds(endedAtUnixMs),
    duration_ns: nanoseconds(span.durationMs),
    status: span.error === undefined ? "ok" : "error",
    status_message: span.error,
    aws_request_id: span.requestId,
    function_name: span.functionName,
    "resource_attr:service.name": service,
    ...spelled(span.attributes)
  })
}
