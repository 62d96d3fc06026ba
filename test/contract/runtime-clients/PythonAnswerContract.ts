/** How a Python function answers and fails. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import {
  type ErrorAnswer,
  errorOf,
  initFailure,
  type Promises,
  promisesOf,
  resultOf
} from "#test/support/ClientAnswers"
import { needs, pathOf } from "#test/support/Engines"
import { pythonClient, samples } from "#test/support/RuntimeClients"

/** The error that AWS answered in a recorded test. */
const recordedError = (test: string): ErrorAnswer["body"] => {
  const file = join(pathOf("golden"), "aws-recordings/lambda___test_lambda.snapshot.json")
  const records = JSON.parse(readFileSync(file, "utf8"))
  const name = `tests/aws/services/lambda_/test_lambda.py::TestLambdaErrors::${test}`
  return records[name]["recorded-content"].invocation_error.Payload
}

/** Line numbers within Python's own modules differ between its versions. */
const withoutOwnLines = (trace: ReadonlyArray<string>) =>
  trace.map((frame) =>
    frame.includes("importlib") ? frame.replace(/line \d+/, "line N").replace(/".*(importlib\/)/, '"$1') : frame
  )

const golden = (promises: Promises) => {
  const taskRoot = samples("python")
  promises("tells a failed call as AWS was recorded to do", (start) =>
    Effect.gen(function* () {
      const recorded = recordedError("test_lambda_handler_error")
      const worker = yield* start("lambda_handler_error.handler")
      const { body, id, type } = errorOf(yield* worker.invoke({}))
      assert.strictEqual(type, "Exception")
      assert.deepStrictEqual(Object.keys(body), Object.keys(recorded))
      const stackTrace = recorded.stackTrace.map((frame) => frame.replace("/var/task", taskRoot))
      assert.deepStrictEqual(body, { ...recorded, requestId: id, stackTrace })
    })
  )

  promises("tells a failed start as AWS was recorded to do", (start) =>
    Effect.gen(function* () {
      const recorded = recordedError("test_lambda_runtime_error")
      const body = yield* Effect.flatMap(start("lambda_runtime_error.handler"), initFailure)
      assert.deepStrictEqual(Object.keys(body), Object.keys(recorded))
      const { stackTrace, ...rest } = recorded
      assert.deepInclude(body, rest)
      // The import system calls itself a varying number of times; its first frame and the function's own say the same.
      const [expected, actual] = [stackTrace, body.stackTrace].map(withoutOwnLines)
      assert.strictEqual(actual?.[0], expected?.[0])
      assert.strictEqual(actual?.at(-1), expected?.at(-1)?.replace("/var/task", taskRoot))
    })
  )
}

const results = (promises: Promises) => {
  promises("keeps every digit of a Decimal", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("results.decimals")
      const outcome = yield* worker.invoke({})
      const expected = '{"price": 1.10, "digits": 12345678901234567890.123456789}'
      assert.strictEqual(outcome.kind === "response" && outcome.body.toString(), expected)
    })
  )

  promises("hands bytes over as they are, and takes those within a result for text", (start) =>
    Effect.gen(function* () {
      const raw = yield* start("results.raw")
      const outcome = yield* raw.invoke({})
      assert.strictEqual(outcome.kind === "response" && outcome.headers["content-type"], "application/unknown")
      assert.strictEqual(outcome.kind === "response" && outcome.body.toString(), "\0raw")
      const nested = yield* start("results.nested_bytes")
      assert.deepStrictEqual(resultOf(yield* nested.invoke({})), { text: "grüße" })
    })
  )

  const unspeakable: ReadonlyArray<readonly [handler: string, message: string]> = [
    ["results.a_set", "Object of type set is not JSON serializable"],
    ["results.identified", "Object of type UUID is not JSON serializable"],
    ["results.ring", "Circular reference detected"],
    ["results.promised", "Object of type coroutine is not JSON serializable"],
    [
      "results.half_a_character",
      String.raw`'utf-8' codec can't encode character '\ud83d' in position 1: surrogates not allowed`
    ]
  ]
  promises("fails a call whose result is not JSON, and takes the next one", (start) =>
    Effect.gen(function* () {
      for (const [handler, reason] of unspeakable) {
        const worker = yield* start(handler)
        for (const event of [1, 2]) {
          const { body, type } = errorOf(yield* worker.invoke(event))
          assert.strictEqual(type, "Runtime.MarshalError")
          assert.strictEqual(body.errorMessage, `Unable to marshal response: ${reason}`)
        }
      }
    })
  )

  promises("tells an error that cannot tell itself", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("results.broken_error")
      assert.strictEqual(errorOf(yield* worker.invoke({})).type, "Broken")
    })
  )

  promises("ends as Python does when a call raises what is no Exception", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("results.interrupted")
      const exit = yield* worker.invoke({})
      assert.strictEqual(exit.kind, "exit")
      assert.include(worker.output(), "KeyboardInterrupt")
    })
  )
}

export const suite = (name: string) =>
  describe(`Runtime client (${name}) answering`, () => {
    const start = pythonClient("python3.13")
    const promises = promisesOf(async () => start)
    describe("compared with recorded answers", needs("golden"), () => {
      golden(promises)
    })
    results(promises)

    it.live("escapes what is not ASCII for the versions where AWS does", () =>
      Effect.scoped(
        Effect.gen(function* () {
          for (const [client, text] of [
            [pythonClient("python3.11"), String.raw`{"text": "gr\u00fc\u00dfe"}`],
            [start, '{"text": "grüße"}']
          ] as const) {
            const worker = yield* client("results.text")
            const outcome = yield* worker.invoke({})
            assert.strictEqual(outcome.kind === "response" && outcome.body.toString(), text)
          }
        })
      )
    )
  })
