/** What `console` writes in a Node.js function. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { promisesOf } from "#test/support/ClientAnswers"
import type { StartClient } from "#test/support/RuntimeClients"

export const suite = (name: string, makeStart: () => Promise<StartClient>) =>
  describe(`Runtime client (${name}) writing logs`, () => {
    const promises = promisesOf(makeStart)
    const stamp = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`

    promises("writes console records as AWS formats them", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("logs.levels")
        const outcome = yield* worker.invoke({})
        const id = outcome.kind === "exit" ? "" : outcome.id
        const records = worker.output().trimEnd().split("\n").slice(1)
        const expected = [
          "TRACE\tat trace",
          "DEBUG\tat debug",
          "INFO\tat info",
          "INFO\tat log, formatted 1 { with: 'more' }",
          "WARN\tat warn",
          "ERROR\tat error",
          "INFO\ttwo\rlines"
        ]
        assert.deepStrictEqual(
          records.map((record) => record.replace(new RegExp(`^${stamp}\t${id}\t`), "")),
          expected
        )
      })
    )

    promises("writes console records as JSON when asked to, from the level asked for", (start) =>
      Effect.gen(function* () {
        const environment = { AWS_LAMBDA_LOG_FORMAT: "JSON", AWS_LAMBDA_LOG_LEVEL: "WARN" }
        const levels = yield* start("logs.levels", { environment })
        const outcome = yield* levels.invoke({})
        const records = levels
          .output()
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line) as Record<string, unknown>)
        assert.deepStrictEqual(
          records.map(({ timestamp, ...rest }) => [new RegExp(`^${stamp}$`).test(String(timestamp)), rest]),
          [
            [true, { level: "WARN", requestId: outcome.kind === "exit" ? "" : outcome.id, message: "at warn" }],
            [true, { level: "ERROR", requestId: outcome.kind === "exit" ? "" : outcome.id, message: "at error" }]
          ]
        )
      })
    )

    promises("writes objects and errors into JSON records", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("logs.objects", { environment: { AWS_LAMBDA_LOG_FORMAT: "json" } })
        yield* worker.invoke({})
        const records = worker.output().trimEnd().split("\n").slice(1)
        const [object, described, alone, ring] = records.map((line) => JSON.parse(line) as Record<string, unknown>)
        assert.deepStrictEqual(object?.["message"], { an: "object" })
        assert.strictEqual(described?.["errorType"], "RangeError")
        assert.strictEqual(described?.["errorMessage"], "too far")
        assert.isArray(described?.["stackTrace"])
        assert.include(described?.["message"], "failed: RangeError: too far")
        assert.deepInclude(alone?.["message"], { errorType: "RangeError", errorMessage: "alone" })
        assert.include(ring?.["message"], "name: 'ring'")
      })
    )

    promises("loses no record when the pipe is full", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("logs.floods")
        yield* worker.invoke({ lines: 2000 })
        const flood = worker
          .output()
          .split("\n")
          .filter((line) => line.includes("\tflood "))
        assert.strictEqual(flood.length, 2000)
        assert.isTrue(flood.every((line, index) => line.endsWith(`flood ${index + 1} ${"x".repeat(1000)}`)))
      })
    )

    promises("logs a failure with all the error's properties", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("promises.throwsAtOnce")
        const outcome = yield* worker.invoke({})
        const [, id, level, what, json] = worker.output().trimEnd().split("\t")
        assert.deepStrictEqual([id, level, what], [outcome.kind === "exit" ? "" : outcome.id, "ERROR", "Invoke Error "])
        assert.deepInclude(JSON.parse(json ?? ""), { errorType: "TooHot", errorMessage: "at once", degrees: 451 })
      })
    )
  })
