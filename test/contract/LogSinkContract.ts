/** What every log sink promises, whichever technology keeps the lines. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer, Schedule } from "effect"
import type { FunctionName } from "#domain/FunctionName"
import type { LogRecord } from "#domain/LogRecord"
import { LogSink, type LogRetention, maxQueriedCharacters, maxQueriedLines } from "#services/LogSink"

const hello = "hello" as FunctionName
const other = "other" as FunctionName
const now = Date.now()

/** A line that a function wrote. */
export const line = (message: string, more: Partial<LogRecord> = {}): LogRecord => ({
  atUnixMs: now,
  source: "function",
  level: "INFO",
  message,
  functionName: hello,
  containerName: "esb-dev-hello-0badcafe",
  requestId: "8a3c2c8e-1f0b-4b1f-9a70-0242ac120002",
  traceId: "Root=1-65535353-0123456789abcdef01234567",
  ...more
})

const messagesOf = (lines: ReadonlyArray<LogRecord>) => lines.map(({ message }) => message)

/** Retention works in the background; what it leaves is asked for until it is what was expected. */
const eventually = (expected: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const sink = yield* LogSink
    return messagesOf(yield* sink.query({ limit: 100 }))
  }).pipe(
    Effect.repeat({
      schedule: Schedule.spaced("20 millis"),
      until: (messages) => messages.join() === expected.join(),
      times: 200
    }),
    Effect.map((messages) => assert.deepStrictEqual(messages, expected))
  )

export const suite = (name: string, layer: (retention?: Partial<LogRetention>) => Layer.Layer<LogSink, unknown>) =>
  describe(`LogSink (${name})`, () => {
    const promises = (
      title: string,
      body: (sink: LogSink["Service"]) => Effect.Effect<void, unknown, LogSink>,
      retention?: Partial<LogRetention>
    ) => it.live(title, () => Effect.flatMap(LogSink, body).pipe(Effect.provide(layer(retention))))

    promises("a query sees what was written just before it, complete and in order", (sink) =>
      Effect.gen(function* () {
        const system = line("started", {
          source: "system",
          level: "WARNING",
          functionName: undefined,
          containerName: undefined,
          requestId: undefined,
          traceId: undefined
        })
        const lines = [line("first"), system, line("third", { source: "platform", level: "CRITICAL" })]
        for (const each of lines) sink.write(each)
        const found = yield* sink.query({ limit: 10 })
        assert.deepStrictEqual(
          found.map(({ position: _position, ...record }) => record),
          lines
        )
      })
    )

    promises("an exception is kept as the end of its message, and details are not kept", (sink) =>
      Effect.gen(function* () {
        sink.write(line("broken", { exception: "Error: why\n    at here", details: { status: 500 } }))
        const found = yield* sink.query({ limit: 1 })
        assert.deepStrictEqual(
          found.map(({ position: _position, ...record }) => record),
          [line("broken\nError: why\n    at here")]
        )
      })
    )

    promises("an empty log answers with no line", (sink) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* sink.query({ limit: 10 }), [])
        assert.deepStrictEqual(yield* sink.query({ limit: 10, sinceUnixMs: now, after: 3, functionName: hello }), [])
      })
    )

    promises("positions grow, and a query after one sees only later lines", (sink) =>
      Effect.gen(function* () {
        for (const message of ["a", "b", "c"]) sink.write(line(message))
        const positions = (yield* sink.query({ limit: 10 })).map(({ position }) => position)
        assert.deepStrictEqual(
          positions,
          [...new Set(positions)].toSorted((one, another) => one - another)
        )
        const last = positions.at(-1) ?? 0
        assert.deepStrictEqual(messagesOf(yield* sink.query({ limit: 1, after: positions[0] })), ["b"])
        assert.deepStrictEqual(messagesOf(yield* sink.query({ limit: 10, after: positions[0] })), ["b", "c"])
        assert.deepStrictEqual(yield* sink.query({ limit: 10, after: last }), [])
        sink.write(line("d"))
        assert.deepStrictEqual(messagesOf(yield* sink.query({ limit: 10, after: last })), ["d"])
      })
    )

    promises("a query for a function or a request sees its lines only", (sink) =>
      Effect.gen(function* () {
        sink.write(line("a1", { requestId: "one" }))
        sink.write(line("b1", { requestId: "one", functionName: other }))
        sink.write(line("a2", { requestId: "two" }))
        sink.write(line("ours", { requestId: undefined, functionName: undefined }))
        assert.deepStrictEqual(messagesOf(yield* sink.query({ functionName: hello, limit: 10 })), ["a1", "a2"])
        assert.deepStrictEqual(messagesOf(yield* sink.query({ requestId: "one", limit: 10 })), ["a1", "b1"])
        assert.deepStrictEqual(messagesOf(yield* sink.query({ requestId: "one", functionName: hello, limit: 10 })), [
          "a1"
        ])
      })
    )

    promises("a query for a time sees every line of that time and later, in whichever order they came", (sink) =>
      Effect.gen(function* () {
        const times = [10, 40, 20, 30, 50, 15, 60, 25].map((second) => now - 100_000 + second * 1_000)
        times.forEach((atUnixMs, index) => sink.write(line(`${index}`, { atUnixMs })))
        for (const sinceUnixMs of [0, ...times, now]) {
          const expected = times.flatMap((atUnixMs, index) => (atUnixMs >= sinceUnixMs ? [`${index}`] : []))
          assert.deepStrictEqual(messagesOf(yield* sink.query({ sinceUnixMs, limit: 100 })), expected)
          const newest = messagesOf(yield* sink.query({ sinceUnixMs, functionName: hello, limit: 2 }))
          assert.deepStrictEqual(newest, expected.slice(-2))
        }
      })
    )

    promises("the newest lines are told, oldest first, and never more than the sink's own limit", (sink) =>
      Effect.gen(function* () {
        const count = maxQueriedLines + 10
        for (let index = 0; index < count; index++) sink.write(line(`${index}`))
        assert.deepStrictEqual(messagesOf(yield* sink.query({ limit: 2 })), [`${count - 2}`, `${count - 1}`])
        const all = yield* sink.query({ limit: Number.MAX_SAFE_INTEGER })
        assert.strictEqual(all.length, maxQueriedLines)
        assert.strictEqual(all[0]?.message, "10")
        assert.strictEqual(sink.dropped(), 0)
      })
    )

    promises(
      "a query takes no more text than the sink's own limit, and the newest line in any case",
      (sink) =>
        Effect.gen(function* () {
          const [half, whole] = ["h".repeat(maxQueriedCharacters / 2), "w".repeat(maxQueriedCharacters + 1)]
          sink.write(line(whole))
          assert.strictEqual((yield* sink.query({ limit: 10 })).length, 1)
          for (const text of [half, half]) sink.write(line(text))
          const lengths = (yield* sink.query({ limit: 10 })).map(({ message }) => message.length)
          assert.deepStrictEqual(lengths, [half.length, half.length])
          sink.write(line(whole))
          const [newest, ...others] = yield* sink.query({ limit: 10 })
          assert.strictEqual(newest?.message.length, whole.length)
          assert.deepStrictEqual(others, [])
        }),
      { maxBytes: 1024 ** 3 }
    )

    promises("a line keeps its time in whole milliseconds", (sink) =>
      Effect.gen(function* () {
        sink.write(line("a", { atUnixMs: now + 0.75 }))
        assert.deepStrictEqual(
          (yield* sink.query({ limit: 1 })).map(({ atUnixMs }) => atUnixMs),
          [now]
        )
      })
    )

    promises("text comes back as it was, and with U+FFFD where it was not well-formed", (sink) =>
      Effect.gen(function* () {
        const texts = ["", "a\u0000b", "line\nbreak\r\n\ttab", "ü€😀", "x".repeat(300_000)]
        for (const text of texts) sink.write(line(text))
        sink.write(line("broken \ud800 half"))
        assert.deepStrictEqual(messagesOf(yield* sink.query({ limit: 10 })), [...texts, "broken \ufffd half"])
      })
    )

    promises(
      "the oldest lines leave when there are too many",
      (sink) =>
        Effect.gen(function* () {
          for (const message of ["a", "b", "c", "d", "e"]) sink.write(line(message))
          yield* eventually(["c", "d", "e"])
          assert.strictEqual(sink.dropped(), 0)
        }),
      { maxLines: 3 }
    )

    promises(
      "the oldest lines leave when they are too old",
      (sink) =>
        Effect.gen(function* () {
          for (const age of [120_000, 90_000, 30_000, 0]) sink.write(line(`${age}`, { atUnixMs: now - age }))
          yield* eventually(["30000", "0"])
        }),
      { maxAgeMs: 60_000 }
    )

    promises(
      "the oldest lines leave when they take too much space",
      (sink) =>
        Effect.gen(function* () {
          const message = "x".repeat(1_000)
          for (let index = 0; index < 5_000; index++) sink.write(line(message))
          sink.write(line("last"))
          const kept = yield* sink.query({ limit: maxQueriedLines }).pipe(
            Effect.repeat({
              schedule: Schedule.spaced("20 millis"),
              until: (lines) => lines.length < 2_000,
              times: 200
            })
          )
          assert.isBelow(kept.length, 2_000)
          assert.isAbove(kept.length, 200)
          assert.strictEqual(kept.at(-1)?.message, "last")
        }),
      { maxBytes: 2 * 1024 ** 2 }
    )
  })
