/**
 * Follows the traces that their callers want followed, and a share of those that begin here. A call that is not followed
 * costs no more than a look at the end of its trace id.
 */
import { Effect, Layer } from "effect"
import * as TraceContext from "#domain/TraceContext"
import { SpanSink } from "#services/SpanSink"
import { Tracing } from "#services/Tracing"

/** 16 random hex digits: of a UUID those at its ends, where nothing is said of its version. */
const newId = (): string => {
  const uuid = crypto.randomUUID()
  return uuid.slice(0, 8) + uuid.slice(-8)
}

/** @param share of the traces that begin here, 0 to 1 */
export const layer = (share: number): Layer.Layer<Tracing, never, SpanSink> =>
  Layer.effect(
    Tracing,
    Effect.gen(function* () {
      const sink = yield* SpanSink
      return Tracing.of({
        sampleNew: () => (Math.random() < share ? "1" : "0"),
        begin: (traceId, name, kind) => {
          const trace = TraceContext.isSampled(traceId) ? TraceContext.parse(traceId) : undefined
          if (trace === undefined) return undefined
          const id = newId()
          const beganAtMs = performance.now()
          return {
            traceId: TraceContext.format({ ...trace, parent: id }),
            end: (end) =>
              sink.write({
                ...end,
                trace,
                id,
                name,
                kind,
                beganAtUnixMs: performance.timeOrigin + beganAtMs,
                durationMs: performance.now() - beganAtMs
              })
          }
        }
      })
    })
  )
