/** How a Node.js function streams its answer. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { type Outcome, promisesOf } from "#test/support/ClientAnswers"
import { eventually } from "#test/support/Eventually"
import type { StartClient } from "#test/support/RuntimeClients"

interface Streamed {
  readonly contentType: string | undefined
  readonly text: string
  /** From the trailers, when the stream failed. */
  readonly failure:
    | { readonly type: string | undefined; readonly errorType: string; readonly errorMessage: string }
    | undefined
}

/** An answer that has to be a stream. */
const streamOf = (outcome: Outcome): Streamed => {
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

export const suite = (name: string, makeStart: () => Promise<StartClient>) =>
  describe(`Runtime client (${name}) streaming`, () => {
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
        const look = Effect.gen(function* () {
          const before = written()
          yield* Effect.sleep("300 millis")
          return { before, after: written() }
        })
        const isStill = ({ after, before }: Effect.Success<typeof look>) => before > 0 && before === after
        const { after: early } = yield* eventually("it waits", look, isStill, 15_000)
        assert.isBelow(early, chunks)
        worker.peer.releaseBodies()
        assert.strictEqual((yield* Effect.promise(() => answered)).body.length, chunks * 64 * 1024)
      })
    )
  })
