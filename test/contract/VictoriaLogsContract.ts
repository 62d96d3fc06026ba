/** What is told arrives in the store as it was told, and is found by the ids of its request. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Redacted, type Scope } from "effect"
import type { FunctionName } from "#domain/FunctionName"
import type { LogRecord } from "#domain/LogRecord"
import type { FinishedSpan } from "#domain/Span"
import type { OwnerId } from "#domain/Worker"
import * as MemoryLogSink from "#layers/memory/MemoryLogSink"
import * as VictoriaLogs from "#layers/victoria/VictoriaLogs"
import { LogSink } from "#services/LogSink"
import { SpanSink } from "#services/SpanSink"
import { found, type StoredLine } from "#test/support/LogStores"
import { eventually } from "#test/support/Eventually"

const hello = "hello" as FunctionName
const root = "1-5759e988-bd862e3fe1be46a994272793"
const requestId = "8a3c2c8e-1f0b-4b1f-9a70-0242ac120002"

export const record = (message: string, more: Partial<LogRecord> = {}): LogRecord => ({
  atUnixMs: Date.now(),
  source: "system",
  level: "INFO",
  message,
  functionName: undefined,
  containerName: undefined,
  requestId,
  traceId: `Root=${root};Sampled=1`,
  ...more
})

const workerLine = (message: string, more: Partial<LogRecord> = {}): LogRecord =>
  record(message, {
    source: "function",
    functionName: hello,
    containerName: "esb-dev-hello-0badcafe",
    traceId: `Root=${root};Parent=53995c3f42cd8ad8;Sampled=1`,
    ...more
  })

const span: FinishedSpan = {
  trace: { root, parent: "53995c3f42cd8ad8", sampled: "1" },
  id: "00f067aa0ba902b7",
  name: "invoke hello",
  kind: "client",
  beganAtUnixMs: Date.now() - 12.25,
  durationMs: 12.25,
  error: undefined,
  requestId,
  functionName: hello,
  attributes: { "faas.coldstart": false, "http.response.status_code": 200 }
}

const options = (url: string, more: Partial<VictoriaLogs.Options> = {}): VictoriaLogs.Options => ({
  url: Redacted.make(url),
  containerName: "esb-gateway",
  logger: "gateway",
  records: "all",
  ...more,
  limits: { lingerMs: 20, firstBackoffMs: 10, ...more.limits }
})

export interface Told {
  readonly sink: LogSink["Service"]
  readonly spans: SpanSink["Service"]
  /** The log that the program keeps itself. */
  readonly local: LogSink["Service"]
}

/** Until its scope ends, which is the stop of the program. */
export const telling = Effect.fnUntraced(function* (url: string, more: Partial<VictoriaLogs.Options> = {}) {
  const below = yield* Layer.build(MemoryLogSink.layer())
  const context = yield* Layer.build(VictoriaLogs.layer(options(url, more))).pipe(Effect.provideContext(below))
  const told: Told = {
    sink: Context.get(context, LogSink),
    spans: Context.get(context, SpanSink),
    local: Context.get(below, LogSink)
  }
  return told
})

const arrives = (url: string, query: string, count = 1) =>
  eventually(`${count} lines of ${query}`, found(url, query), (lines) => lines.length >= count)

/** Without what the store adds for itself. */
const said = (line: StoredLine | undefined): StoredLine => {
  const { _stream_id, _time, ...rest } = line ?? {}
  return rest
}

export const suite = (
  name: string,
  store: Effect.Effect<{ readonly url: string; readonly objections?: ReadonlyArray<string> }, unknown, Scope.Scope>,
  needed: object
) =>
  describe(`VictoriaLogs (${name})`, needed, () => {
    const promises = (title: string, body: (url: string) => Effect.Effect<void, unknown, Scope.Scope>) =>
      it.live(title, () =>
        Effect.gen(function* () {
          const { objections = [], url } = yield* store
          yield* Effect.scoped(body(url))
          assert.deepStrictEqual([...objections], [])
        })
      )

    promises("a program's record arrives with its ids, its exception and its details", (url) =>
      Effect.gen(function* () {
        const { sink } = yield* telling(url)
        const atUnixMs = Date.now() - 1_500
        sink.write(
          record("GET /orders 500", {
            atUnixMs,
            level: "ERROR",
            exception: "Error: broken\n    at here",
            details: { method: "GET", status: 500, latency_ms: 1.5, user_agent: undefined }
          })
        )
        const [line] = yield* arrives(url, `aws_request_id:="${requestId}"`)
        assert.strictEqual(Date.parse(line?.["_time"] ?? ""), atUnixMs)
        assert.deepStrictEqual(said(line), {
          _msg: "GET /orders 500",
          _stream: '{container_name="esb-gateway",job="services"}',
          container_name: "esb-gateway",
          job: "services",
          logger: "gateway",
          level: "ERROR",
          aws_request_id: requestId,
          trace_id: `Root=${root};Sampled=1`,
          exception: "Error: broken\n    at here",
          method: "GET",
          status: "500",
          latency_ms: "1.5"
        })
      })
    )

    promises("a worker's line arrives in the stream of its function, and says which worker wrote it", (url) =>
      Effect.gen(function* () {
        const { sink } = yield* telling(url)
        sink.write(workerLine("hello, world"), "me" as OwnerId)
        const [line] = yield* arrives(url, `trace_id:"${root}"`)
        assert.deepStrictEqual(said(line), {
          _msg: "hello, world",
          _stream: '{container_name="hello",job="lambda"}',
          container_name: "hello",
          job: "lambda",
          function_name: "hello",
          log_group: "/aws/lambda/hello",
          worker: "esb-dev-hello-0badcafe",
          logger: "function",
          level: "INFO",
          aws_request_id: requestId,
          trace_id: `Root=${root};Parent=53995c3f42cd8ad8;Sampled=1`
        })
      })
    )

    promises("the fields of a function's JSON line are fields, and cannot pose as the platform's", (url) =>
      Effect.gen(function* () {
        const { sink } = yield* telling(url)
        const own = {
          message: "paid",
          order: { id: 7, tags: ["a"] },
          job: "mine",
          _stream: "x",
          aws_request_id: "forged"
        }
        sink.write(workerLine(JSON.stringify(own), { level: "WARNING" }))
        const [line = {}] = yield* arrives(url, `aws_request_id:="${requestId}"`)
        assert.strictEqual(line["_msg"], "paid")
        assert.strictEqual(line["order.id"], "7")
        assert.strictEqual(line["order.tags"], '["a"]')
        assert.strictEqual(line["job"], "lambda")
        assert.strictEqual(line["level"], "WARNING")
        assert.strictEqual(line["_stream"], '{container_name="hello",job="lambda"}')
      })
    )

    promises("an operation arrives with its times in nanoseconds, and is found by the root of its trace", (url) =>
      Effect.gen(function* () {
        const { spans } = yield* telling(url)
        spans.write({ ...span, error: "InvocationTimedOut" })
        const [line = {}] = yield* arrives(url, `trace_id:"${root}" job:="traces"`)
        const nanoseconds = (unixMs: number) => `${Math.round(unixMs * 1_000)}000`
        assert.deepStrictEqual(said(line), {
          _msg: "invoke hello InvocationTimedOut 12.25 ms",
          _stream: '{container_name="esb-gateway",job="traces"}',
          container_name: "esb-gateway",
          job: "traces",
          logger: "trace",
          level: "ERROR",
          trace_id: `Root=${root};Parent=53995c3f42cd8ad8;Sampled=1`,
          otel_trace_id: "5759e988bd862e3fe1be46a994272793",
          span_id: "00f067aa0ba902b7",
          parent_span_id: "53995c3f42cd8ad8",
          name: "invoke hello",
          kind: "client",
          start_time_unix_nano: nanoseconds(span.beganAtUnixMs),
          end_time_unix_nano: nanoseconds(span.beganAtUnixMs + 12.25),
          duration_ns: "12250000",
          status: "error",
          status_message: "InvocationTimedOut",
          aws_request_id: requestId,
          function_name: "hello",
          "resource_attr:service.name": "esb-gateway",
          "span_attr:faas.coldstart": "false",
          "span_attr:http.response.status_code": "200"
        })
        assert.strictEqual((yield* found(url, `otel_trace_id:="5759e988bd862e3fe1be46a994272793"`)).length, 1)
      })
    )

    promises("a line that is too long for the store is cut, and says how long it was", (url) =>
      Effect.gen(function* () {
        const { sink } = yield* telling(url)
        sink.write(workerLine("a".repeat(262_144)))
        sink.write(workerLine("\u0000€".repeat(200_000)))
        sink.write(workerLine(JSON.stringify({ level: "ERROR", message: "short", rest: "z".repeat(300_000) })))
        const lines = yield* arrives(url, `aws_request_id:="${requestId}"`, 3)
        for (const line of lines) {
          const bytes = Number(line["cut_from_bytes"])
          assert.isAbove(bytes, 262_143)
          assert.isTrue(line["_msg"]?.endsWith(` [cut: the line had ${bytes} bytes]`))
          assert.strictEqual(line["job"], "lambda")
        }
        const longest = lines.find((line) => line["_msg"]?.startsWith("aaa"))
        assert.isAbove(longest?.["_msg"]?.length ?? 0, 261_500)
      })
    )

    promises("an Agent's workers are not told of by the Agent", (url) =>
      Effect.gen(function* () {
        const { local, sink } = yield* telling(url, { containerName: "esb-agent", logger: "agent", records: "own" })
        sink.write(workerLine("of a worker"), "me" as OwnerId)
        sink.write(record("of the Agent"))
        const lines = yield* arrives(url, "*")
        assert.deepStrictEqual(
          lines.map((line) => [line["_msg"], line["container_name"], line["logger"]]),
          [["of the Agent", "esb-agent", "agent"]]
        )
        assert.strictEqual((yield* local.query({ limit: 10 })).length, 2)
      })
    )

    promises("what waits when the program is interrupted has arrived when it has ended", (url) =>
      Effect.gen(function* () {
        const program = Effect.gen(function* () {
          const { sink } = yield* telling(url, { limits: { lingerMs: 60_000, batchLines: 100 } })
          for (let index = 0; index < 350; index += 1) sink.write(record(`${index}`))
          return yield* Effect.never
        })
        const running = yield* Effect.forkChild(Effect.scoped(program))
        yield* Effect.sleep(50)
        yield* Fiber.interrupt(running)
        assert.strictEqual((yield* found(url, "*")).length, 350)
      })
    )
  })
