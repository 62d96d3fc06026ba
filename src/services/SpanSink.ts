/** Where finished operations go. */
import { Context } from "effect"
import type { FinishedSpan } from "#domain/Span"

export class SpanSink extends Context.Service<
  SpanSink,
  {
    /** Never blocks and never fails: what cannot be taken is dropped and counted. */
    readonly write: (span: FinishedSpan) => void
  }
>()("esb/services/SpanSink") {}
