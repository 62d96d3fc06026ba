/** One operation of a trace: what was done for whom, when, for how long, and how it ended. */
import type { FunctionName } from "./FunctionName.ts"
import type { TraceContext } from "./TraceContext.ts"

/** `server`: on behalf of a request that came in. `client`: it waits for somebody else. */
export type SpanKind = "server" | "client"

/** What is known of an operation at its end. */
export interface SpanEnd {
  /** Why it failed; `undefined` when it did not. */
  readonly error: string | undefined
  readonly requestId: string | undefined
  readonly functionName: FunctionName | undefined
  /** By OpenTelemetry's names, where it has one. */
  readonly attributes: Readonly<Record<string, string | number | boolean>>
}

export interface FinishedSpan extends SpanEnd {
  /** Its `parent` is the operation that this one is a part of, perhaps somebody else's. */
  readonly trace: TraceContext
  /** 16 hex digits. */
  readonly id: string
  readonly name: string
  readonly kind: SpanKind
  /** With a fraction. */
  readonly beganAtUnixMs: number
  readonly durationMs: number
}

/**
 * The trace as OpenTelemetry names it: 32 hex digits, which are those of the root.
 * `undefined` for a root that a caller made up in another form.
 */
export const hexTraceId = (root: string): string | undefined => {
  const digits = root.replace(/^1-([0-9a-f]{8})-([0-9a-f]{24})$/, "$1$2")
  return /^[0-9a-f]{32}$/.test(digits) ? digits : undefined
}
