/** What a program says of itself: one line on stderr, and a record, both with the ids of the request they are about. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer } from "effect"
import type { LogRecord } from "#domain/LogRecord"
import * as Logs from "#layers/telemetry/Logs"
import { LogSink } from "#services/LogSink"
import * as Stderr from "#test/support/Stderr"

const traceId = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"

describe("Logs", () => {
  it.live("a line about a request bears its ids by the names of the contract, and its exception apart", () =>
    Effect.gen(function* () {
      const records: Array<LogRecord> = []
      const sink = Layer.succeed(LogSink, {
        write: (record) => void records.push(record),
        query: () => Effect.succeed([]),
        dropped: () => 0
      })
      const told = yield* Stderr.complaints
      yield* Effect.logError("it broke", Cause.die(new Error("the reason"))).pipe(
        Effect.andThen(Effect.logWarning("and went on")),
        Effect.annotateLogs({ requestId: "8a3c2c8e", traceId, functionName: "hello" }),
        Effect.provide(Logs.layer({ name: "gateway", least: "INFO" }).pipe(Layer.provide(sink)))
      )
      const [first, line] = told()
      assert.deepInclude(first, { level: "ERROR", message: "it broke", trace_id: traceId })
      assert.match(String(first?.["exception"]), /^Error: the reason\n/)
      assert.deepInclude(line, {
        level: "WARNING",
        logger: "gateway",
        message: "and went on",
        aws_request_id: "8a3c2c8e",
        trace_id: traceId,
        functionName: "hello"
      })
      assert.match(String(line?.["_time"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      const [broken, record] = records
      assert.strictEqual(broken?.message, "it broke")
      assert.strictEqual(broken?.exception, first?.["exception"])
      assert.deepInclude(record, {
        message: "and went on",
        requestId: "8a3c2c8e",
        traceId,
        details: { functionName: "hello" },
        exception: undefined
      })
    })
  )
})
