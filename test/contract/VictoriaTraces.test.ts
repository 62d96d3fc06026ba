/** Operations go to VictoriaTraces in the words of OpenTelemetry, and to where they went before. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import type { FunctionName } from "#domain/FunctionName"
import type { FinishedSpan } from "#domain/Span"
import * as MemoryLogSink from "#layers/memory/MemoryLogSink"
import * as VictoriaTraces from "#layers/victoria/VictoriaTraces"
import { LogSink } from "#services/LogSink"
import { SpanSink } from "#services/SpanSink"
import { eventually } from "#test/support/Eventually"
import * as Stderr from "#test/support/Stderr"
import * as TraceStores from "#test/support/TraceStores"

const span = (more: Partial<FinishedSpan> = {}): FinishedSpan => ({
  trace: { root: "1-5759e988-bd862e3fe1be46a994272793", parent: "53995c3f42cd8ad8", sampled: "1" },
  id: "00f067aa0ba902b7",
  name: "invoke hello",
  kind: "client",
  beganAtUnixMs: 1_795_000_000_000.25,
  durationMs: 12.5,
  error: undefined,
  requestId: "8a3c2c8e-1f0b-4b1f-9a70-0242ac120002",
  functionName: "hello" as FunctionName,
  attributes: { "faas.coldstart": false, "faas.duration_ms": 1.25, "http.response.status_code": 200 },
  ...more
})

const limits = { lingerMs: 20, firstBackoffMs: 10 }

const telling = Effect.fnUntraced(function* (url: string) {
  const others: Array<FinishedSpan> = []
  const below = yield* Layer.build(
    Layer.merge(MemoryLogSink.layer(), Layer.succeed(SpanSink, { write: (told) => void others.push(told) }))
  )
  const options = { url: Redacted.make(url), service: "esb-gateway", limits }
  const context = yield* Layer.build(VictoriaTraces.layer(options)).pipe(Effect.provideContext(below))
  return { sink: Context.get(context, SpanSink), others, log: Context.get(below, LogSink) }
})

describe("VictoriaTraces", () => {
  it.live("is told of an operation once, and so is who was told before", () =>
    Effect.gen(function* () {
      const store = yield* TraceStores.recorder
      const { others, sink } = yield* telling(store.url)
      const told = [span(), span({ id: "00f067aa0ba902b8", kind: "server", error: "InvocationTimedOut" })]
      for (const each of told) sink.write(each)
      const arrived = Effect.sync(() => store.spans.length)
      yield* eventually("both operations", arrived, (count) => count === 2)
      const [first, second] = store.spans
      assert.deepInclude(first, {
        service: "esb-gateway",
        traceId: "5759e988bd862e3fe1be46a994272793",
        spanId: "00f067aa0ba902b7",
        parentSpanId: "53995c3f42cd8ad8",
        name: "invoke hello",
        kind: 3,
        startTimeUnixNano: "1795000000000250000",
        endTimeUnixNano: "1795000000012750000",
        status: {}
      })
      assert.deepInclude(second, { kind: 2, status: { code: 2, message: "InvocationTimedOut" } })
      const attributes = {
        "faas.coldstart": false,
        "faas.duration_ms": 1.25,
        "http.response.status_code": "200",
        function_name: "hello",
        aws_request_id: "8a3c2c8e-1f0b-4b1f-9a70-0242ac120002",
        trace_root: "1-5759e988-bd862e3fe1be46a994272793"
      }
      for (const [key, value] of Object.entries(attributes)) {
        assert.strictEqual(first === undefined ? undefined : TraceStores.said(first, key), value, key)
      }
      assert.deepStrictEqual(others, told)
      assert.deepStrictEqual(store.objections, [])
    })
  )

  it.live("is told of traces whose callers name them in forms of their own, always by the same digits", () =>
    Effect.gen(function* () {
      const store = yield* TraceStores.recorder
      const { sink } = yield* telling(store.url)
      const trace = { root: "my-own-trace", parent: "nobody", sampled: "1" }
      sink.write(span({ trace }))
      sink.write(span({ trace, id: "00f067aa0ba902b8" }))
      yield* eventually(
        "both",
        Effect.sync(() => store.spans.length),
        (count) => count === 2
      )
      const [first, second] = store.spans
      assert.strictEqual(first?.traceId, second?.traceId)
      assert.notProperty(first, "parentSpanId")
      assert.deepStrictEqual(store.objections, [])
    })
  )

  it.live("loses what it refuses, which the program's log tells", () =>
    Effect.gen(function* () {
      const store = yield* TraceStores.recorder
      store.answer(400)
      yield* Stderr.complaints
      const { log, sink } = yield* telling(store.url)
      sink.write(span())
      const [line] = yield* eventually("the loss", log.query({ limit: 1 }), ({ length }) => length === 1)
      assert.strictEqual(
        line?.message,
        "1 line of logs and traces did not reach VictoriaTraces: the store answered 400: {}"
      )
    })
  )
})
