import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { ClientRequest } from "node:http"
import { type AnswerStream, limits } from "#domain/Invocation"
import { type Bench, mine, type Options, withBench } from "#test/support/DataDoorBench"
import { atRest, eventually } from "#test/support/Eventually"
import { heard, invocation, text, until } from "#test/support/OpenDoor"
import { begin, Listener } from "#test/support/StreamedAnswer"

const floodBytes = 32 * 1024 ** 2

/** A door through which a flood may pass. */
const wide: Options = {
  wireless: true,
  runtimeApi: { answerLimitBytes: floodBytes },
  client: { answerBytes: 2 * floodBytes },
  timeoutMs: 20_000
}

/** A call whose runtime has begun to stream its answer. */
const streamed = Effect.fnUntraced(function* (
  { client, runtime, worker }: Pick<Bench, "client" | "runtime" | "worker">,
  listener: AnswerStream | undefined
) {
  const call = invocation({ wantsLogTail: true })
  const polled = runtime.next()
  const fiber = yield* Effect.forkScoped(client.send(worker, call, listener))
  yield* heard(polled)
  const { answer, receipt } = begin(runtime, call.requestId)
  answer.flushHeaders()
  return { answer, call, fiber, receipt }
})

/** More than all buffers on the way hold together, and no two pieces of it alike. Returns what was written. */
const flood = (answer: ClientRequest): Buffer => {
  const bytes = Buffer.from(Uint8Array.from({ length: floodBytes }, (_, index) => (index * 7919) >>> 8))
  for (let from = 0; from < bytes.length; from += 65_536) answer.write(bytes.subarray(from, from + 65_536))
  return bytes
}

const suite = (name: string, base: Options) => {
  const withDoor = (options: Options, test: Parameters<typeof withBench>[1]) => withBench({ ...base, ...options }, test)

  describe(`a streamed answer by the data door (${name})`, () => {
    it.live(
      "arrives piece by piece, and its result behind it",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          const listener = new Listener()
          const { answer, fiber } = yield* streamed(bench, listener)
          yield* until(() => listener.contentType === "text/event-stream")
          for (const [index, piece] of ["one ", "two ", "three"].entries()) {
            answer.write(piece)
            yield* until(() => listener.chunks.length === index + 1)
          }
          assert.isUndefined(fiber.pollUnsafe())
          answer.end()
          const result = yield* Fiber.join(fiber)
          assert.strictEqual(listener.bytes.toString(), "one two three")
          assert.deepInclude(result, { contentType: "text/event-stream", errorType: undefined })
          assert.strictEqual(result.payload.length, 0)
          assert.isAbove(result.report.initDurationMs ?? 0, 0)
          assert.include(text(result.logTail), "START RequestId")
          const next = yield* streamed(bench, undefined)
          next.answer.end("whole")
          assert.strictEqual(text((yield* Fiber.join(next.fiber)).payload), "whole")
        })
      )
    )

    it.live(
      "that the function ends with an error ends so for its caller, who took a stream or waited for all of it",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          const error = JSON.stringify({ errorType: "Midway", errorMessage: "half, größer".repeat(30_000) })
          for (const listener of [new Listener(), undefined]) {
            const { answer, fiber } = yield* streamed(bench, listener)
            answer.write("half")
            answer.addTrailers({
              "Lambda-Runtime-Function-Error-Type": "Midway",
              "Lambda-Runtime-Function-Error-Body": Buffer.from(error).toString("base64")
            })
            answer.end()
            const result = yield* Fiber.join(fiber)
            assert.strictEqual(listener?.bytes.toString() ?? "half", "half")
            assert.deepInclude(result, { contentType: "application/json", errorType: "Midway" })
            assert.strictEqual(text(result.payload), error)
          }
        })
      )
    )

    it.live(
      "whose worker fails ends with that failure",
      withDoor({ timeoutMs: 1_000 }, (bench) =>
        Effect.gen(function* () {
          const late = yield* streamed(bench, new Listener())
          late.answer.write("half")
          const timedOut = yield* Effect.flip(Fiber.join(late.fiber))
          assert.deepInclude(timedOut, { _tag: "InvocationTimedOut", requestId: late.call.requestId })
          const other = yield* bench.open(mine)
          const cut = yield* streamed({ ...bench, ...other }, new Listener())
          cut.answer.write("half")
          other.door.exited({ code: undefined, signal: "SIGKILL", outOfMemory: true, extension: undefined })
          const exited = yield* Effect.flip(Fiber.join(cut.fiber))
          assert.deepInclude(exited, { _tag: "WorkerExited", errorType: "Runtime.OutOfMemory" })
        })
      )
    )

    it.live(
      "comes no faster than its caller takes it: the worker's own connection rests, and every byte arrives",
      withDoor(wide, (bench) =>
        Effect.gen(function* () {
          const listener = new Listener()
          listener.asleep = true
          const { answer, fiber } = yield* streamed(bench, listener)
          const written = flood(answer)
          yield* until(() => listener.bytes.length > 0)
          const look = Effect.sync(() => ({ taken: listener.bytes.length, left: answer.writableLength }))
          const { left, taken } = yield* atRest("the answer", look, 200)
          assert.isBelow(taken, 1024 ** 2)
          assert.isAbove(left, 0)
          listener.wake()
          answer.end()
          yield* Fiber.join(fiber)
          assert.strictEqual(listener.bytes.compare(written), 0)
        })
      )
    )

    it.live(
      "whose caller goes away runs to its end, and the worker is good for the next call",
      withDoor(wide, (bench) =>
        Effect.gen(function* () {
          const listener = new Listener()
          listener.asleep = true
          const { answer, fiber, receipt } = yield* streamed(bench, listener)
          flood(answer)
          yield* Effect.sleep(100)
          yield* Fiber.interrupt(fiber)
          answer.end()
          assert.strictEqual((yield* heard(receipt)).status, 202)
          yield* eventually(
            "the call is over",
            Effect.sync(() => bench.dataDoor.callsInFlight()),
            (count) => count === 0
          )
          const next = yield* streamed(bench, undefined)
          next.answer.end("{}")
          assert.strictEqual(text((yield* Fiber.join(next.fiber)).payload), "{}")
        })
      )
    )

    it.live(
      "of more than it may have ends with AWS's words",
      withDoor({ wireless: true }, (bench) =>
        Effect.gen(function* () {
          const listener = new Listener()
          const { answer, fiber } = yield* streamed(bench, listener)
          answer.write(Buffer.alloc(limits.responseBytes, 0x20))
          yield* until(() => listener.bytes.length === limits.responseBytes)
          answer.end("!")
          assert.strictEqual((yield* Fiber.join(fiber)).errorType, "Function.ResponseSizeTooLarge")
        })
      )
    )

    it.live(
      "whose connection breaks fails its call honestly",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          const listener = new Listener()
          const { answer, fiber } = yield* streamed(bench, listener)
          answer.write("half")
          yield* until(() => listener.bytes.length === 4)
          bench.wire.cut()
          assert.deepInclude(yield* Effect.flip(Fiber.join(fiber)), {
            _tag: "WorkerExited",
            errorType: "Sandbox.Failure"
          })
        })
      )
    )
  })
}

suite("in the clear", {})
suite("TLS", { tls: true })
