import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { ClientRequest } from "node:http"
import type { AnswerStream, Invocation } from "#domain/Invocation"
import { atRest } from "#test/support/Eventually"
import { type Bench, containerId, handed, heard, invocation, text, until, withDoor } from "#test/support/OpenDoor"
import { begin, Listener } from "#test/support/StreamedAnswer"

/** A call whose runtime has begun to stream its answer. */
const streamed = Effect.fnUntraced(function* (bench: Bench, listener: AnswerStream, changed: Partial<Invocation> = {}) {
  const call = invocation(changed)
  const fiber = yield* handed(bench, call, listener)
  return { fiber, ...begin(bench.runtime, call.requestId) }
})

/** Writes until neither the sockets nor the door take more. */
const flood = Effect.fnUntraced(function* (answer: ClientRequest, listener: Listener, bytes: number) {
  const block = Buffer.from(Uint8Array.from({ length: 65_536 }, (_, index) => index % 251))
  const written: Array<Buffer> = []
  for (let left = bytes; left > 0; left -= block.length) {
    const part = block.subarray(0, Math.min(left, block.length))
    answer.write(part)
    written.push(part)
  }
  const look = Effect.sync(() => ({ taken: listener.bytes.length, left: answer.writableLength }))
  return { written: Buffer.concat(written), ...(yield* atRest("the answer", look, 50)) }
})

describe("a streamed answer", () => {
  it.live(
    "reaches a caller who takes it piece by piece, and its result says how it ended",
    withDoor({}, (bench) =>
      Effect.gen(function* () {
        const listener = new Listener()
        const { answer, fiber, receipt } = yield* streamed(bench, listener)
        answer.flushHeaders()
        yield* until(() => listener.contentType === "text/event-stream")
        assert.deepStrictEqual(listener.chunks, [])
        answer.write("one ")
        yield* until(() => listener.chunks.length === 1)
        answer.write("two")
        yield* until(() => listener.chunks.length === 2)
        assert.strictEqual(bench.api.phase(containerId), "busy")
        answer.end()
        const result = yield* Fiber.join(fiber)
        assert.strictEqual(listener.bytes.toString(), "one two")
        assert.deepInclude(result, { contentType: "text/event-stream", errorType: undefined })
        assert.strictEqual(result.payload.length, 0)
        assert.isAbove(result.report.durationMs, 0)
        assert.strictEqual((yield* heard(receipt)).status, 202)
      })
    )
  )

  it.live(
    "that fails on its way ends with the function's error",
    withDoor({}, (bench) =>
      Effect.gen(function* () {
        const listener = new Listener()
        const { answer, fiber } = yield* streamed(bench, listener)
        const error = '{"errorType":"Midway","errorMessage":"half"}'
        answer.write("half")
        answer.addTrailers({
          "Lambda-Runtime-Function-Error-Type": "Midway",
          "Lambda-Runtime-Function-Error-Body": Buffer.from(error).toString("base64")
        })
        answer.end()
        const result = yield* Fiber.join(fiber)
        assert.strictEqual(listener.bytes.toString(), "half")
        assert.deepInclude(result, { contentType: "application/json", errorType: "Midway" })
        assert.strictEqual(text(result.payload), error)
      })
    )
  )

  it.live(
    "comes no faster than its caller takes it, and every byte of it arrives",
    withDoor({}, (bench) =>
      Effect.gen(function* () {
        const listener = new Listener()
        listener.asleep = true
        const { answer, fiber } = yield* streamed(bench, listener)
        const { left, taken, written } = yield* flood(answer, listener, 6 * 1024 ** 2)
        assert.isBelow(taken, 256 * 1024)
        assert.isAbove(left, 1024 ** 2)
        listener.wake()
        answer.end()
        yield* Fiber.join(fiber)
        assert.strictEqual(listener.bytes.compare(written), 0)
      })
    )
  )

  it.live(
    "runs to its end when its caller goes away while it rests",
    withDoor({}, (bench) =>
      Effect.gen(function* () {
        const listener = new Listener()
        listener.asleep = true
        const { answer, fiber, receipt } = yield* streamed(bench, listener)
        const { taken } = yield* flood(answer, listener, 4 * 1024 ** 2)
        yield* Fiber.interrupt(fiber)
        answer.end("last")
        assert.strictEqual((yield* heard(receipt)).status, 202)
        assert.strictEqual(listener.bytes.length, taken)
        assert.strictEqual(bench.api.phase(containerId), "dirty")
      })
    )
  )

  it.live(
    "is over for its caller when the function's time is, whatever still comes",
    withDoor({ spec: { timeoutMs: 100 } }, (bench) =>
      Effect.gen(function* () {
        const listener = new Listener()
        listener.asleep = true
        const { answer, fiber, receipt } = yield* streamed(bench, listener)
        yield* flood(answer, listener, 4 * 1024 ** 2)
        assert.deepInclude(yield* Effect.flip(Fiber.join(fiber)), { _tag: "InvocationTimedOut" })
        const taken = listener.bytes.length
        answer.end("last")
        assert.strictEqual((yield* heard(receipt)).status, 202)
        assert.strictEqual(listener.bytes.length, taken)
      })
    )
  )

  it.live(
    "of one byte too many ends with AWS's words, and the worker goes on",
    withDoor({ settings: { answerLimitBytes: 1_000 } }, (bench) =>
      Effect.gen(function* () {
        const listener = new Listener()
        const { answer, fiber, receipt } = yield* streamed(bench, listener)
        answer.write(Buffer.alloc(1_000, 0x20))
        yield* until(() => listener.bytes.length === 1_000)
        answer.end("!")
        const result = yield* Fiber.join(fiber)
        assert.strictEqual(result.errorType, "Function.ResponseSizeTooLarge")
        assert.strictEqual((yield* heard(receipt)).status, 413)
        assert.strictEqual(listener.bytes.length, 1_000)
        bench.runtime.next().catch(() => undefined)
        yield* until(() => bench.api.phase(containerId) === "idle")
      })
    )
  )

  it.live(
    "that is cut off fails its call",
    withDoor({ settings: { faultGraceMs: 20 } }, (bench) =>
      Effect.gen(function* () {
        const listener = new Listener()
        const { answer, fiber } = yield* streamed(bench, listener)
        answer.write("half")
        yield* until(() => listener.bytes.length === 4)
        answer.destroy()
        const failure = yield* Effect.flip(Fiber.join(fiber))
        assert.deepInclude(failure, { _tag: "WorkerExited", errorType: "Runtime.TruncatedResponse" })
      })
    )
  )
})

describe("an answer that is not streamed", () => {
  it.live(
    "is told whole, even to a caller who could take a stream",
    withDoor({}, ({ api, runtime }) =>
      Effect.gen(function* () {
        const ways = [
          (id: string) => runtime.respond(id, "{}"),
          (id: string) =>
            runtime.fail(id, '{"errorType":"Boom"}', { "lambda-runtime-function-response-mode": "streaming" })
        ]
        for (const answer of ways) {
          const listener = new Listener()
          const call = invocation()
          const fiber = yield* handed({ api, runtime }, call, listener)
          yield* heard(answer(call.requestId))
          assert.isAbove((yield* Fiber.join(fiber)).payload.length, 0)
          assert.isUndefined(listener.contentType)
        }
      })
    )
  )
})
