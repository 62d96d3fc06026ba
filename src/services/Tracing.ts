/** What a program does for a call, told to whoever looks at the call's trace. */
import { Context } from "effect"
import type { SpanEnd, SpanKind } from "#domain/Span"

/** An operation that has begun. */
export interface Span {
  /** The value of `X-Amzn-Trace-Id` for what is a part of this operation, so that it is found below it. */
  readonly traceId: string
  /** To be called once. */
  readonly end: (end: SpanEnd) => void
}

export class Tracing extends Context.Service<
  Tracing,
  {
    /** What `Sampled` says of a trace that begins here. */
    readonly sampleNew: () => "0" | "1"
    /**
     * `undefined` when the operations of this trace are not wanted, which costs next to nothing. `traceId` is the value of
     * `X-Amzn-Trace-Id`, in its normal form.
     */
    readonly begin: (traceId: string, name: string, kind: SpanKind) => Span | undefined
  }
>()("esb/services/Tracing") {}
