/** How a Node.js function answers: AWS's rules until Node.js 22, those from 24, and streams, which are the same in both. */
import { assert, describe } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { errorOf, initFailure, promise, resultOf } from "./RuntimeClientContract.ts"
import type { ClientWorker } from "#test/support/ClientWorker"
import type { StartClient } from "#test/support/RuntimeClients"

type Body = (start: StartClient) => Effect.Effect<void, unknown, Scope.Scope>

const promisesOf = (makeStart: () => Promise<StartClient>) => (title: string, body: Body) =>
  promise(title, () => Effect.flatMap(Effect.promise(makeStart), body))

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

interface Streamed {
  readonly contentType: string | undefined
  readonly text: string
  /** From the trailers, when the stream failed. */
  readonly failure:
    | { readonly type: string | undefined; readonly errorType: string; readonly errorMessage: string }
    | undefined
}

/** An answer that has to be a stream. */
const streamOf = (outcome: Effect.Success<ReturnType<ClientWorker["invoke"]>>): Streamed => {
  if (outcome.kind !== "response") return assert.fail(`${outcome.kind}: ${JSON.stringify(outcome).slice(0, 500)}`)
  const { body, headers, trailers } = outcome
  assert.strictEqual(headers["lambda-runtime-function-response-mode"], "streaming")
  assert.strictEqual(headers["transfer-encoding"], "chunked")
  const encoded = trailers["lambda-runtime-function-error-body"]
  return {
    contentType: headers["content-type"],
    text: body.toString(),
    failure: encoded && {
      type: trailers["lambda-runtime-function-error-type"],
      ...JSON.parse(Buffer.from(encoded, "base64").toString())
    }
  }
}

export const streams = (name: string, makeStart: () => Promise<StartClient>) =>
  describe(`Runtime client (${name}) for streaming handlers`, () => {
    const promises = promisesOf(makeStart)

    promises("sends what the function writes, whatever it is", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("streams.chunks")
        for (const chunks of [["a", "", "grüße", { json: 1 }], []]) {
          const { contentType, failure, text } = streamOf(yield* worker.invoke({ chunks }))
          assert.strictEqual(text, chunks.length === 0 ? "" : 'agrüße{"json":1}')
          assert.strictEqual(contentType, "text/plain")
          assert.isUndefined(failure)
        }
        assert.strictEqual(worker.peer.connections, 1)
      })
    )

    promises("sends status and headers of an HTTP response ahead of its body", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("streams.http")
        const metadata = { statusCode: 201, headers: { "x-a": "ü" } }
        for (const chunks of [["body ", "in parts"], []]) {
          const { contentType, text } = streamOf(yield* worker.invoke({ metadata, chunks }))
          assert.strictEqual(contentType, "application/vnd.awslambda.http-integration-response")
          assert.strictEqual(text, `${JSON.stringify(metadata)}${"\0".repeat(8)}${chunks.join("")}`)
        }
      })
    )

    promises("is a writable that a pipeline accepts", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("streams.piped")
        const { contentType, text } = streamOf(yield* worker.invoke({ chunks: ["a", "b"] }))
        assert.deepStrictEqual([contentType, text], ["application/octet-stream", "ab"])
      })
    )

    promises("keeps the call open until the stream ends, also after the handler returned", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("streams.endsLater")
        assert.strictEqual(streamOf(yield* worker.invoke({})).text, "late")
      })
    )

    promises("tells a failure in trailers, behind all that was written", (start) =>
      Effect.gen(function* () {
        const midway = yield* start("streams.failsMidway")
        const { failure, text } = streamOf(yield* midway.invoke({}))
        assert.strictEqual(text, "first second")
        assert.deepInclude(failure, { type: "RangeError", errorType: "RangeError", errorMessage: "midway" })
        assert.strictEqual(streamOf(yield* midway.invoke({})).text, "first second")

        const atOnce = yield* start("streams.failsAtOnce")
        assert.deepInclude(streamOf(yield* atOnce.invoke({})).failure, { type: "RangeError", errorMessage: "at once" })
      })
    )

    promises("tells an uncaught exception in trailers, then ends", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("streams.crashesMidway")
        const { failure, text } = streamOf(yield* worker.invoke({}))
        assert.strictEqual(text, "first")
        assert.deepInclude(failure, { type: "RangeError", errorMessage: "in a timer" })
        assert.strictEqual((yield* worker.exit).code, 129)
      })
    )

    promises("fails a stream that was left unfinished", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("streams.neverEnds")
        const { failure, text } = streamOf(yield* worker.invoke({}))
        assert.strictEqual(text, "first")
        assert.strictEqual(failure?.errorMessage, "Response stream is not finished.")
      })
    )

    promises("warns of what AWS does not support", (start) =>
      Effect.gen(function* () {
        const valued = yield* start("streams.returnsAValue")
        assert.strictEqual(streamOf(yield* valued.invoke({})).text, "x")
        assert.include(valued.output(), "WARN\tStreaming handlers ignore return values.")
        const notAsync = yield* start("streams.notAsync")
        yield* notAsync.invoke({})
        assert.include(notAsync.output(), "Streaming does not support non-async handlers.")
      })
    )

    promises("makes a function wait that writes faster than the other side reads", (start) =>
      Effect.gen(function* () {
        const worker = yield* start("streams.fills")
        const written = () =>
          worker
            .output()
            .split("\n")
            .filter((line) => line.includes("written ")).length
        // More than the buffers of both kernels hold together.
        const chunks = 400
        worker.peer.holdsBodies = true
        const { answered } = worker.peer.call({ chunks })
        yield* Effect.sleep("500 millis")
        const early = written()
        yield* Effect.sleep("300 millis")
        assert.strictEqual(written(), early)
        assert.isTrue(early > 0 && early < chunks, `${early} of ${chunks} were written`)
        worker.peer.releaseBodies()
        assert.strictEqual((yield* Effect.promise(() => answered)).body.length, chunks * 64 * 1024)
      })
    )
  })
