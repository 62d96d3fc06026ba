/** Which traces are followed, and what an operation hands on to those that are a part of it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { FinishedSpan, SpanEnd } from "#domain/Span"
import * as TraceContext from "#domain/TraceContext"
import * as NoTracing from "#layers/telemetry/NoTracing"
import * as SampledTracing from "#layers/telemetry/SampledTracing"
import { SpanSink } from "#services/SpanSink"
import { Tracing } from "#services/Tracing"

const root = "1-5759e988-bd862e3fe1be46a994272793"
const end: SpanEnd = { error: undefined, requestId: "r", functionName: undefined, attributes: { a: 1 } }

const follow = <A>(share: number, body: (tracing: Tracing["Service"], told: ReadonlyArray<FinishedSpan>) => A) => {
  const told: Array<FinishedSpan> = []
  const sink = Layer.succeed(SpanSink, { write: (span) => void told.push(span) })
  return Effect.map(Tracing, (tracing) => body(tracing, told)).pipe(
    Effect.provide(SampledTracing.layer(share).pipe(Layer.provide(sink)))
  )
}

describe("Tracing", () => {
  it.live("an operation is a part of what its caller did, and what follows is a part of it", () =>
    follow(0, (tracing, told) => {
      const outer = tracing.begin(`Root=${root};Parent=53995c3f42cd8ad8;Sampled=1`, "outer", "server")
      const inner = tracing.begin(outer?.traceId ?? "", "inner", "client")
      inner?.end({ ...end, error: "Broken" })
      outer?.end(end)
      const [first, second] = told
      assert.deepInclude(first, { ...end, error: "Broken", name: "inner", kind: "client" })
      assert.deepInclude(second, { name: "outer", trace: { root, parent: "53995c3f42cd8ad8", sampled: "1" } })
      assert.strictEqual(first?.trace.parent, second?.id)
      assert.match(second?.id ?? "", /^[0-9a-f]{16}$/)
      assert.strictEqual(inner?.traceId, `Root=${root};Parent=${first?.id};Sampled=1`)
      assert.isAtLeast(second?.durationMs ?? 0, first?.durationMs ?? 1)
      assert.closeTo(second?.beganAtUnixMs ?? 0, Date.now(), 1_000)
    })
  )

  it.live("what a caller wants counts, whatever the share is; a caller who leaves it open is not followed", () =>
    follow(1, (tracing) => {
      for (const sampled of ["0", "?"]) {
        assert.isUndefined(tracing.begin(`Root=${root};Sampled=${sampled}`, "call", "server"))
      }
    })
  )

  it.live("of the traces that begin here a share is followed", () =>
    Effect.gen(function* () {
      const sampled = (share: number) =>
        follow(share, ({ sampleNew }) => Array.from({ length: 4_000 }, sampleNew).filter((told) => told === "1").length)
      assert.strictEqual(yield* sampled(0), 0)
      assert.strictEqual(yield* sampled(1), 4_000)
      assert.closeTo(yield* sampled(0.5), 2_000, 300)
    })
  )

  it.live("where nobody looks, no operation begins, and a new trace says what callers say who say nothing", () =>
    Effect.gen(function* () {
      const tracing = yield* Tracing
      assert.isUndefined(tracing.begin(TraceContext.format(TraceContext.generate("1")), "call", "server"))
      assert.strictEqual(tracing.sampleNew(), "1")
    }).pipe(Effect.provide(NoTracing.layer))
  )
})
