/** How a Node.js function answers: AWS's rules until Node.js 22, and those from 24. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { errorOf, initFailure, promisesOf, resultOf } from "#test/support/ClientAnswers"
import type { StartClient } from "#test/support/RuntimeClients"

/** Functions that declare Node.js 22 or older. */
export const classic = (name: string, makeStart: () => Promise<StartClient>) =>
  describe(`Runtime client (${name}) for nodejs22.x`, () => {
    const promises = promisesOf(makeStart)

    promises("takes the result of a callback, once", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("callbacks.callback")
        assert.deepStrictEqual(resultOf(yield* worker.invoke({ result: { a: 1 } })), { a: 1 })
        assert.deepStrictEqual(resultOf(yield* worker.invoke({ result: "late", delayMs: 20 })), "late")
        assert.isNull(resultOf(yield* worker.invoke({})))

        const twice = yield* start("callbacks.twice")
        assert.strictEqual(resultOf(yield* twice.invoke({})), "first")
        assert.strictEqual(resultOf(yield* twice.invoke({})), "first")
      })
    )

    promises("holds a callback's result back until user code is idle, unless told not to", (start) =>
      Effect.gen(function* () {
        const waits = yield* start("callbacks.callback")
        assert.strictEqual(resultOf(yield* waits.invoke({ result: 1, pendingMs: 80 })), 1)
        assert.include(waits.output(), "timer fired")

        const hurries = yield* start("callbacks.callback")
        assert.strictEqual(resultOf(yield* hurries.invoke({ result: 1, pendingMs: 5000, waits: false })), 1)
        assert.notInclude(hurries.output(), "timer fired")
      })
    )

    promises("takes the failure of a callback", (start) =>
      Effect.gen(function* () {
        const strings = yield* start("callbacks.callback")
        const told = errorOf(yield* strings.invoke({ error: "a string" })).body
        assert.deepStrictEqual(told as unknown, { errorType: "string", errorMessage: "a string", trace: [] })
        const errors = yield* start("callbacks.errors")
        assert.strictEqual(errorOf(yield* errors.invoke({ message: "m" })).type, "RangeError")
      })
    )

    promises("takes answers through the context, as in the beginning", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("callbacks.context")
        assert.strictEqual(resultOf(yield* worker.invoke({ way: "done" })), "done")
        assert.strictEqual(resultOf(yield* worker.invoke({ way: "succeed" })), "succeeded")
        assert.strictEqual(errorOf(yield* worker.invoke({ way: "done with error" })).body.errorMessage, "done badly")
        assert.strictEqual(errorOf(yield* worker.invoke({ way: "fail" })).body.errorMessage, "a string")
        assert.strictEqual(errorOf(yield* worker.invoke({ way: "fail with nothing" })).body.errorMessage, "handled")
      })
    )

    promises("answers null for a function that is idle without an answer", (start) =>
      Effect.gen(function* () {
        const silent = yield* start("callbacks.silent")
        assert.isNull(resultOf(yield* silent.invoke({})))
        assert.isNull(resultOf(yield* silent.invoke({})))
        const plain = yield* start("promises.plain")
        assert.isNull(resultOf(yield* plain.invoke({})))
      })
    )

    promises("fails a call whose promise never settles, and takes the next one", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("promises.never")
        assert.strictEqual(errorOf(yield* worker.invoke({})).type, "Runtime.NodeJsExit")
        assert.strictEqual(errorOf(yield* worker.invoke({})).type, "Runtime.NodeJsExit")
      })
    )

    promises("fails a call whose result is not JSON", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("promises.ring")
        const { body } = errorOf(yield* worker.invoke({}))
        assert.deepStrictEqual([body.errorType, body.errorMessage], ["Error", "Unable to stringify response body"])
      })
    )

    promises("names no call in records written while loading", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("logs.levels")
        yield* worker.invoke({})
        assert.match(worker.output(), /^\S+Z\tundefined\tINFO\twhile loading\n/)
      })
    )
  })

/** Functions that declare Node.js 24 or later. */
export const since24 = (name: string, makeStart: () => Promise<StartClient>) =>
  describe(`Runtime client (${name}) for nodejs24.x`, () => {
    const promises = promisesOf(makeStart)

    promises("takes what a function returns, promised or not", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("promises.plain")
        assert.deepStrictEqual(resultOf(yield* worker.invoke(7)), { plain: 7 })
        const nothing = yield* start("promises.aFunction")
        assert.isNull(resultOf(yield* nothing.invoke({})))
      })
    )

    promises("refuses to load a callback handler", (start) =>
      Effect.gen(function* () {
        const body = yield* Effect.flatMap(start("callbacks.callback"), initFailure)
        assert.strictEqual(body.errorType, "Runtime.CallbackHandlerDeprecated")
        assert.include(body.errorMessage, "has removed support for callback-based function handlers")
      })
    )

    promises("ends when a promise never settles and nothing is left to do", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("promises.never")
        assert.deepStrictEqual(yield* worker.invoke({}), { kind: "exit", code: 0, signal: null })
      })
    )

    promises("fails a call whose result is not JSON", (start) =>
      Effect.gen(function* () {
        for (const handler of ["promises.ring", "promises.bigNumber"]) {
          const worker = yield* start(handler)
          const { body, type } = errorOf(yield* worker.invoke({}))
          assert.strictEqual(type, "Runtime.JSONStringifyError")
          assert.strictEqual(body.errorMessage, "Unable to stringify response body")
        }
      })
    )

    promises("names no call in records written while loading", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("logs.levels")
        yield* worker.invoke({})
        assert.match(worker.output(), /^\S+Z\t-\tINFO\twhile loading\n/)
      })
    )
  })
