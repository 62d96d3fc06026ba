/** What `print`, `logging` and failures write in a Python function. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { errorOf, promisesOf } from "#test/support/ClientAnswers"
import { pythonClient, samples } from "#test/support/RuntimeClients"

export const suite = (name: string) =>
  describe(`Runtime client (${name}) writing logs`, () => {
    const promises = promisesOf(async () => pythonClient("python3.13"))
    const stamp = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`

    promises("formats records of logging as AWS does, and leaves print alone", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("records.texts")
        const outcome = yield* worker.invoke({})
        const id = outcome.kind === "exit" ? "" : outcome.id
        const lines = worker
          .output()
          .trimEnd()
          .split("\n")
          .filter((line) => line !== "to stderr")
        const [printed, asItIs, info, warning, caught, ...more] = lines.map((line) =>
          line.replace(new RegExp(`\t${stamp}\\.\\d{3}Z\t${id}\t`), "|")
        )
        assert.deepStrictEqual(
          [printed, asItIs, info, warning],
          ["printed", "as it is", "[INFO]|hello world", "[WARNING]|two\rlines"]
        )
        assert.match(caught ?? "", /^\[ERROR\]\|caught\rTraceback \(most recent call last\):\r.*\rKeyError: 'key'$/s)
        assert.isEmpty(more)
        assert.include(worker.output(), "to stderr\n")
      })
    )

    promises("writes records as JSON when asked to, from the level asked for", (start) =>
      Effect.gen(function* () {
        const environment = { AWS_LAMBDA_LOG_FORMAT: "JSON", AWS_LAMBDA_LOG_LEVEL: "ERROR" }
        const worker = yield* start("records.extras", { environment })
        const outcome = yield* worker.invoke({})
        const requestId = outcome.kind === "exit" ? "" : outcome.id
        const told = worker
          .output()
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line) as Record<string, unknown>)
        assert.isTrue(told.every(({ timestamp }) => new RegExp(`^${stamp}Z$`).test(String(timestamp))))
        const [info, error, caught] = told
        // The function sets its own level, which comes after ours.
        assert.deepInclude(info, { level: "INFO", message: { a: "dictionary" }, logger: "root", requestId, order: 7 })
        assert.deepStrictEqual(Object.keys(error ?? {}), ["timestamp", "level", "message", "logger", "requestId"])
        assert.deepInclude(error, { level: "ERROR", message: "boom", logger: "root", requestId })
        assert.deepInclude(caught, { errorType: "KeyError", errorMessage: "'key'" })
        assert.match(String(caught?.["location"]), /records\.py:extras:\d+$/)
      })
    )

    promises("writes a failure as one record", (start) =>
      Effect.gen(function* () {
        const text = yield* start("records.fails")
        yield* text.invoke({})
        const frame = `\u00a0\u00a0File "${samples("python", "records.py")}", line N, in fails`
        const code = String.raw`raise ValueError("first line\nsecond line")`
        assert.strictEqual(
          text.output().replace(/line \d+/, "line N"),
          `[ERROR] ValueError: first line\rsecond line\rTraceback (most recent call last):\r${frame}\r${"\u00a0".repeat(4)}${code}\n`
        )

        const json = yield* start("records.fails", { environment: { AWS_LAMBDA_LOG_FORMAT: "JSON" } })
        const outcome = yield* json.invoke({})
        const requestId = outcome.kind === "exit" ? "" : outcome.id
        const record = JSON.parse(json.output()) as Record<string, unknown>
        assert.deepInclude(record, { level: "ERROR", errorType: "ValueError", requestId })
      })
    )

    promises("tells and logs a failure whose message is no UTF-8", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("records.fails_oddly")
        assert.strictEqual(errorOf(yield* worker.invoke({})).body.errorMessage, "half of ?")
        assert.include(worker.output(), String.raw`[ERROR] ValueError: half of \ud83d`)
      })
    )

    promises("answers although the function closed its standard output", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("records.closes")
        assert.strictEqual(errorOf(yield* worker.invoke({})).body.errorMessage, "silent")
        assert.strictEqual(errorOf(yield* worker.invoke({})).type, "ValueError")
      })
    )
  })
