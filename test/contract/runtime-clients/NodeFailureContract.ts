/** How a Node.js function fails, and what its caller is told. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { errorOf, type Promises, promisesOf, resultOf } from "#test/support/ClientAnswers"
import { needs, pathOf } from "#test/support/Engines"
import type { StartClient } from "#test/support/RuntimeClients"

const recorded = (promises: Promises) => {
  promises("tells a failed call as AWS was recorded to do", (start) =>
    Effect.gen(function* () {
      const file = join(pathOf("golden"), "aws-recordings/lambda___test_lambda_common.snapshot.json")
      const records = JSON.parse(readFileSync(file, "utf8"))
      const worker = yield* start("promises.golden")
      const { body } = errorOf(yield* worker.invoke({ error_msg: "some_error_msg" }))
      for (const runtime of ["nodejs22.x", "nodejs24.x"]) {
        const test = `TestLambdaRuntimesCommon::test_uncaught_exception_invoke[${runtime}]`
        const record = records[`tests/aws/services/lambda_/test_lambda_common.py::${test}`]
        const { trace: _unlike, ...told } = record["recorded-content"].error_result.Payload
        assert.deepStrictEqual(body as unknown, { ...told, trace: body.trace })
      }
    })
  )
}

const failures = (promises: Promises) => {
  promises("tells a thrown error as AWS does: type, message, trace", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("promises.throwsAtOnce")
      const { body, type } = errorOf(yield* worker.invoke({}))
      assert.strictEqual(type, "TooHot")
      assert.deepStrictEqual(Object.keys(body), ["errorType", "errorMessage", "trace"])
      assert.deepStrictEqual(
        [body.errorType, body.errorMessage, body.trace[0]],
        ["TooHot", "at once", "TooHot: at once"]
      )
      assert.match(body.trace[1] ?? "", /^ {4}at .*promises\.js:\d+:\d+\)$/)
    })
  )

  promises("tells what was thrown although it is no error", (start) =>
    Effect.gen(function* () {
      const rejects = yield* start("promises.rejects")
      const told = errorOf(yield* rejects.invoke("a string")).body
      assert.deepStrictEqual(told as unknown, { errorType: "string", errorMessage: "a string", trace: [] })
      const object = errorOf(yield* rejects.invoke({ an: "object" })).body
      assert.deepStrictEqual(object as unknown, { errorType: "object", errorMessage: "[object Object]", trace: [] })

      const hostile = yield* start("promises.throwsHostile")
      assert.strictEqual(errorOf(yield* hostile.invoke({})).type, "handled")
    })
  )

  promises("tells an unhandled rejection during a call, then ends", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("promises.unhandled")
      const { body, type } = errorOf(yield* worker.invoke({}))
      assert.strictEqual(type, "Runtime.UnhandledPromiseRejection")
      assert.deepStrictEqual([body.errorType, body.errorMessage], [type, "Error: nobody catches"])
      assert.strictEqual(body.trace[0], `${type}: Error: nobody catches`)
      assert.deepStrictEqual(yield* worker.exit, { kind: "exit", code: 128, signal: null })
      assert.match(worker.output(), /\tERROR\tUnhandled Promise Rejection \t\{.*nobody catches/)
    })
  )

  promises("tells an uncaught exception during a call, then ends", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("promises.uncaught")
      const { body, type } = errorOf(yield* worker.invoke({}))
      assert.deepStrictEqual([type, body.errorMessage], ["TooHot", "in a timer"])
      assert.deepStrictEqual(yield* worker.exit, { kind: "exit", code: 129, signal: null })
    })
  )

  promises("tells a rejection while loading as an init error", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("files/bad/rejects.handler")
      assert.strictEqual((yield* worker.exit).code, 128)
      const told = JSON.parse(worker.initError()?.body.toString() ?? "null") as { errorType: string }
      assert.strictEqual(told.errorType, "Runtime.UnhandledPromiseRejection")
    })
  )

  promises("ends when user code fails after its answer, and keeps the answer", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("promises.afterwards")
      assert.strictEqual(resultOf(yield* worker.invoke({})), "answered")
      assert.strictEqual((yield* worker.exit).code, 129)
      assert.include(worker.output(), "after the answer")
      assert.strictEqual(worker.peer.requests.filter(({ path }) => path.endsWith("/error")).length, 0)
    })
  )

  const endings = [
    { handler: "promises.unhandledButAnswers", kind: "response", code: 128 },
    { handler: "promises.answersTooLate", kind: "error", code: 129 }
  ]
  promises("answers once and takes no further call when it is about to end", (start) =>
    Effect.gen(function* () {
      for (const { code, handler, kind } of endings) {
        const worker = yield* start(handler)
        const [first] = [worker.peer.call({}), worker.peer.call({})]
        assert.strictEqual((yield* Effect.promise(() => first.answered)).kind, kind)
        assert.strictEqual((yield* worker.exit).code, code)
        assert.deepStrictEqual(
          worker.peer.requests.map(({ path }) => path.replace(/.*\//, "")),
          ["next", kind]
        )
      }
    })
  )

  promises("lets user code handle SIGTERM", (start) =>
    Effect.gen(function* () {
      const worker = yield* start("signals.handler")
      assert.strictEqual(resultOf(yield* worker.invoke({})), "ready")
      process.kill(worker.pid, "SIGTERM")
      assert.strictEqual((yield* worker.exit).code, 7)
      assert.include(worker.output(), "cleaned up")
    })
  )
}

export const suite = (name: string, makeStart: () => Promise<StartClient>) =>
  describe(`Runtime client (${name}) beside a function that fails`, () => {
    const promises = promisesOf(makeStart)
    describe("compared with recorded answers", needs("golden"), () => {
      recorded(promises)
    })
    failures(promises)
  })
