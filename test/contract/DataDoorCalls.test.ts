import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Queue, Result, Stream } from "effect"
import { once } from "node:events"
import type { Socket } from "node:net"
import { text as wholeText } from "node:stream/consumers"
import type { WorkerExited, WorkerUnreachable } from "#domain/Failure"
import { type Invocation, limits } from "#domain/Invocation"
import * as HttpWorkerClient from "#layers/grpc/door/HttpWorkerClient"
import { type CertificateBundle, Certificates } from "#services/Certificates"
import { WorkerClient } from "#services/WorkerClient"
import { type Bench, type Options, watchLayer, withBench } from "#test/support/DataDoorBench"
import { eventually } from "#test/support/Eventually"
import { heard, invocation, text } from "#test/support/OpenDoor"

/** A call that the worker's runtime has taken. */
const taken = Effect.fnUntraced(function* (
  bench: Pick<Bench, "client" | "runtime" | "worker">,
  changed: Partial<Invocation> = {}
) {
  const call = invocation(changed)
  const polled = bench.runtime.next()
  const fiber = yield* Effect.forkScoped(bench.client.send(bench.worker, call))
  const event = yield* heard(polled)
  return { call, event, fiber }
})

const exitedOf = (failure: { readonly _tag: string }): WorkerExited => {
  assert.strictEqual(failure._tag, "WorkerExited")
  return failure as WorkerExited
}

const unreachableOf = (failure: { readonly _tag: string }): WorkerUnreachable => {
  assert.strictEqual(failure._tag, "WorkerUnreachable")
  return failure as WorkerUnreachable
}

/** Something has come on it, or its end has. */
const readable = (connection: Socket) => Effect.promise(() => once(connection, "readable"))

/** All of this process, with everything that it could hear meanwhile. */
const standStill = (durationMs: number): void => {
  const end = performance.now() + durationMs
  while (performance.now() < end);
}

const suite = (name: string, base: Options) => {
  const withDoor = (options: Options, test: Parameters<typeof withBench>[1]) => withBench({ ...base, ...options }, test)

  describe(`a call by the data door (${name})`, () => {
    it.live(
      "brings the event over with all that is said of it, and the answer back",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          const payload = Buffer.from(Uint8Array.from({ length: 100_000 }, (_, index) => index % 256))
          const said = { clientContext: '{"custom":{"tenant":"zoë\\n"}}', wantsLogTail: true, payload }
          const { call, event, fiber } = yield* taken(bench, said)
          assert.strictEqual(event.body.compare(payload), 0)
          assert.deepInclude(event.headers, {
            "lambda-runtime-aws-request-id": call.requestId,
            "lambda-runtime-invoked-function-arn": call.invokedArn,
            "lambda-runtime-trace-id": call.traceId,
            "lambda-runtime-client-context": Buffer.from(said.clientContext).toString("latin1")
          })
          bench.door.output(Buffer.from("a line\n"))
          yield* heard(bench.runtime.respond(call.requestId, payload, { "content-type": "application/x-größe" }))
          const result = yield* Fiber.join(fiber)
          assert.strictEqual(Buffer.compare(result.payload, payload), 0)
          assert.deepInclude(result, { contentType: "application/x-größe", errorType: undefined })
          assert.include(text(result.logTail), "a line\n")
          assert.isAbove(result.report.durationMs, 0)
          assert.isAbove(result.report.initDurationMs ?? 0, 0)
        })
      )
    )

    it.live(
      "carries the largest event and the largest answer there may be",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          const { call, event, fiber } = yield* taken(bench, { payload: Buffer.alloc(limits.requestBytes, 0x20) })
          assert.strictEqual(event.body.length, limits.requestBytes)
          yield* heard(bench.runtime.respond(call.requestId, Buffer.alloc(limits.responseBytes, 0x20)))
          assert.strictEqual((yield* Fiber.join(fiber)).payload.length, limits.responseBytes)
        })
      )
    )

    it.live(
      "tells an error of the function as its result, whatever it is called",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          for (const errorType of ["TypeError", "Größe\r\nx: y", "100%", "€".repeat(100_000)]) {
            const { call, fiber } = yield* taken(bench)
            const body = JSON.stringify({ errorType, errorMessage: "boom" })
            yield* heard(bench.runtime.fail(call.requestId, body))
            const result = yield* Fiber.join(fiber)
            assert.strictEqual(result.errorType, errorType.slice(0, 4_096))
            assert.strictEqual(text(result.payload), body)
          }
        })
      )
    )

    it.live(
      "tells failures as themselves, to the byte",
      withDoor({ timeoutMs: 80 }, (bench) =>
        Effect.gen(function* () {
          const { call, fiber } = yield* taken(bench, { wantsLogTail: true })
          const failure = yield* Effect.flip(Fiber.join(fiber))
          assert.deepInclude(failure, { _tag: "InvocationTimedOut", requestId: call.requestId })
          assert.include(text((failure as WorkerExited).payload), "Task timed out after 0.08 seconds")
          assert.include(text((failure as WorkerExited).logTail), "Task timed out")
          assert.deepStrictEqual(bench.watched, { lost: [bench.worker.id], refreshed: [] })
        })
      )
    )

    it.live(
      "waits for a worker that is not ready, and tells why one never will be",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          const waiting = yield* Effect.forkScoped(bench.client.ready(bench.worker))
          yield* Effect.sleep(50)
          assert.isUndefined(waiting.pollUnsafe())
          bench.runtime.next().catch(() => undefined)
          yield* Fiber.join(waiting)
          const other = yield* bench.open(bench.worker.owner)
          const body = '{"errorType":"Runtime.ImportModuleError","errorMessage":"no module"}'
          yield* heard(other.runtime.initError(body))
          const failure = yield* Effect.flip(bench.client.ready(other.worker))
          assert.deepInclude(failure, { _tag: "InitFailed", errorType: "Runtime.ImportModuleError" })
        })
      )
    )

    it.live(
      "keeps its connections, and does not ask the engine each time: a thousand calls need two at most",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          const startedAtMs = performance.now()
          for (let count = 0; count < 1_000; count++) {
            const { call, fiber } = yield* taken(bench)
            yield* heard(bench.runtime.respond(call.requestId, "{}"))
            yield* Fiber.join(fiber)
          }
          assert.isAtMost(bench.wire.attempts(), 2)
          const seconds = (performance.now() - startedAtMs) / 1_000
          assert.isAtMost(bench.touched.length, seconds + 1)
          assert.isAbove(bench.touched.length, 0)
        })
      )
    )
  })

  describe(`a data door that is not there (${name})`, () => {
    it.live(
      "makes a worker unreachable, and the watch look again before anybody else is tried",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          bench.wire.cut()
          const failure = unreachableOf(yield* Effect.flip(bench.client.send(bench.worker, invocation())))
          assert.strictEqual(failure.containerId, bench.worker.id)
          assert.deepStrictEqual(bench.watched, { lost: [], refreshed: [bench.worker.id] })
          unreachableOf(yield* Effect.flip(bench.client.ready(bench.worker)))
        })
      )
    )

    it.live(
      "after a call is noticed before the next one is sent",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          const { call, fiber } = yield* taken(bench)
          yield* heard(bench.runtime.respond(call.requestId, "{}"))
          yield* Fiber.join(fiber)
          bench.wire.cut()
          yield* Effect.sleep(20)
          unreachableOf(yield* Effect.flip(bench.client.send(bench.worker, invocation())))
          bench.wire.mend()
          const again = yield* taken(bench)
          yield* heard(bench.runtime.respond(again.call.requestId, "{}"))
          yield* Fiber.join(again.fiber)
        })
      )
    )

    it.live(
      "because its Agent takes connections and says nothing, gets no event",
      withDoor({ client: { connectLimitMs: 100 } }, (bench) =>
        Effect.gen(function* () {
          bench.wire.freeze()
          bench.runtime.next().catch(() => undefined)
          const failure = yield* Effect.flip(bench.client.send(bench.worker, invocation()))
          assert.match(unreachableOf(failure).detail, /within 100 ms|timeout/i)
          bench.wire.thaw()
          yield* Effect.sleep(50)
          assert.strictEqual(bench.api.phase(bench.worker.id), "idle")
        })
      )
    )

    it.live(
      "or does not know the worker, or not as ours, gets no event",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          const stranger = { ...bench.worker, owner: (yield* bench.open(bench.worker.owner)).worker.owner }
          const gone = { ...stranger, id: `${stranger.id}-gone` as typeof stranger.id }
          const failure = unreachableOf(yield* Effect.flip(bench.client.send(gone, invocation())))
          assert.strictEqual(failure.detail, "container_id not found")
          assert.deepStrictEqual(bench.watched.refreshed, [gone.id])
        })
      )
    )
  })

  describe(`a connection that breaks in the middle of a call (${name})`, () => {
    it.live(
      "is told honestly, and nothing is sent again",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          const { call, fiber } = yield* taken(bench)
          const attempts = bench.wire.attempts()
          bench.wire.cut()
          const failure = exitedOf(yield* Effect.flip(Fiber.join(fiber)))
          assert.deepInclude(failure, { errorType: "Sandbox.Failure", requestId: call.requestId })
          assert.include(text(failure.payload), "the connection to the Agent was lost during the call")
          assert.strictEqual(bench.wire.attempts(), attempts)
          assert.deepStrictEqual(bench.watched, { lost: [], refreshed: [] })
        })
      )
    )

    it.live(
      "does not end the call: the worker answers nobody, and is good for the next one",
      withDoor({}, (bench) =>
        Effect.gen(function* () {
          const { call, fiber } = yield* taken(bench)
          yield* Fiber.interrupt(fiber)
          yield* eventually(
            "the client closes its connection",
            Effect.sync(() => bench.wire.connections()),
            (open) => open === 0
          )
          assert.strictEqual(bench.dataDoor.callsInFlight(), 1)
          assert.strictEqual(bench.api.phase(bench.worker.id), "busy")
          const receipt = yield* heard(bench.runtime.respond(call.requestId, "{}"))
          assert.strictEqual(receipt.status, 202)
          const next = yield* taken(bench)
          assert.strictEqual(bench.dataDoor.callsInFlight(), 1)
          yield* heard(bench.runtime.respond(next.call.requestId, "2"))
          assert.strictEqual(text((yield* Fiber.join(next.fiber)).payload), "2")
        })
      )
    )

    it.live(
      "or is as good as broken, because the Agent gives no sign of life, is given up",
      withDoor({ client: { pulseEveryMs: 50, silenceLimitMs: 100 } }, (bench) =>
        Effect.gen(function* () {
          const { fiber } = yield* taken(bench)
          yield* Effect.sleep(250)
          assert.isUndefined(fiber.pollUnsafe())
          bench.wire.freeze()
          const failure = exitedOf(yield* Effect.flip(Fiber.join(fiber)))
          assert.include(text(failure.payload), "no sign of life from the Agent")
          assert.include(text(failure.payload), "nothing within 100 ms")
        })
      )
    )
  })

  describe(`a Gateway that stands still in the middle of a call (${name})`, () => {
    it.live(
      "does not take what it could not hear for silence",
      withDoor({ client: { pulseEveryMs: 20, silenceLimitMs: 200 } }, (bench) =>
        Effect.gen(function* () {
          const { call, fiber } = yield* taken(bench)
          bench.wire.freeze()
          yield* Effect.sleep(60)
          // A question is on its way by now, and its answer will be when the limit is over.
          bench.wire.thaw()
          standStill(300)
          yield* Effect.sleep(60)
          yield* heard(bench.runtime.respond(call.requestId, Buffer.from("1")))
          assert.strictEqual(text((yield* Fiber.join(fiber)).payload), "1")
        })
      )
    )
  })

  describe(`an Agent that stops (${name})`, () => {
    it.live(
      "lets calls in flight end, however long, takes no further ones, and says so",
      withDoor({ drainMs: 5_000, wireless: true, client: { pulseEveryMs: 20, silenceLimitMs: 200 } }, (bench) =>
        Effect.gen(function* () {
          const { call, fiber } = yield* taken(bench)
          const other = yield* bench.open(bench.worker.owner)
          const stopped = yield* Effect.forkScoped(bench.stop)
          yield* Effect.sleep(200)
          const refusals = yield* Effect.all([
            Effect.flip(bench.client.send(other.worker, invocation())),
            Effect.flip(bench.client.ready(other.worker))
          ])
          for (const refusal of refusals) assert.strictEqual(unreachableOf(refusal).detail, "its Agent is stopping")
          assert.isUndefined(stopped.pollUnsafe())
          yield* heard(bench.runtime.respond(call.requestId, Buffer.alloc(limits.responseBytes, 0x20)))
          assert.strictEqual((yield* Fiber.join(fiber)).payload.length, limits.responseBytes)
          yield* Fiber.join(stopped)
        })
      )
    )

    it.live(
      "tells whose call is on its way when it closes a kept connection that nothing was done",
      withDoor({ drainMs: 5_000 }, (bench) =>
        Effect.gen(function* () {
          const connection = bench.connect()
          connection.write("GET /pulse HTTP/1.1\r\nhost: a\r\n\r\n")
          yield* readable(connection)
          assert.match(String(connection.read()), /^HTTP\/1.1 204 /)
          const stopped = yield* Effect.forkScoped(bench.stop)
          yield* readable(connection)
          connection.write(
            `POST /workers/${bench.worker.id}/invocations HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}`
          )
          const said = yield* Effect.promise(() => wholeText(connection))
          assert.match(said, /^HTTP\/1.1 408 .*\r\nconnection: close\r\n/)
          yield* Fiber.join(stopped)
          assert.strictEqual(bench.door.callCount(), 0)
        })
      )
    )

    it.live(
      "refuses who was about to call, and leaves him in no doubt",
      withDoor({ drainMs: 5_000, wireless: true }, (bench) =>
        Effect.gen(function* () {
          const { call, fiber } = yield* taken(bench)
          yield* heard(bench.runtime.respond(call.requestId, Buffer.from("1")))
          yield* Fiber.join(fiber)
          const stopped = yield* Effect.forkScoped(bench.stop)
          yield* eventually("it stops", Effect.result(bench.client.ready(bench.worker)), Result.isFailure)
          unreachableOf(yield* Effect.flip(bench.client.send(bench.worker, invocation())))
          yield* Fiber.join(stopped)
        })
      )
    )

    it.live(
      "cuts off nobody who tries again and again",
      withDoor({ drainMs: 5_000, wireless: true }, (bench) =>
        Effect.gen(function* () {
          const { call, fiber } = yield* taken(bench)
          const stopped = yield* Effect.forkScoped(bench.stop)
          const insist = Effect.gen(function* () {
            const details: Array<string> = []
            while (stopped.pollUnsafe() === undefined) {
              const refusal = yield* Effect.flip(bench.client.send(bench.worker, invocation()))
              details.push(unreachableOf(refusal).detail)
            }
            return details
          })
          const callers = yield* Effect.forkScoped(
            Effect.all(
              Array.from({ length: 8 }, () => insist),
              { concurrency: "unbounded" }
            )
          )
          yield* Effect.sleep(200)
          yield* heard(bench.runtime.respond(call.requestId, Buffer.from("1")))
          yield* Fiber.join(fiber)
          assert.include((yield* Fiber.join(callers)).flat(), "its Agent is stopping")
          yield* Fiber.join(stopped)
        })
      )
    )

    it.live(
      "cuts off what takes longer than it may",
      withDoor({ drainMs: 50 }, (bench) =>
        Effect.gen(function* () {
          const { fiber } = yield* taken(bench)
          yield* bench.stop
          exitedOf(yield* Effect.flip(Fiber.join(fiber)))
        })
      )
    )
  })
}

describe("a Gateway's new certificate", () => {
  it.live(
    "is shown by the next call, while the one in flight ends on its old connection",
    withBench({ tls: true }, (bench) =>
      Effect.gen(function* () {
        const renewed = yield* Queue.bounded<CertificateBundle>(1)
        const certificates = Certificates.of({
          current: () => bench.gatewayBundle,
          changes: Stream.fromQueue(renewed)
        })
        const services = yield* Layer.build(
          HttpWorkerClient.layer.pipe(
            Layer.provide([watchLayer({ lost: [], refreshed: [] }), Layer.succeed(Certificates, certificates)])
          )
        )
        const client = Context.get(services, WorkerClient)
        const before = yield* taken({ ...bench, client })
        assert.strictEqual(bench.wire.attempts(), 1)
        if (bench.gatewayBundle !== undefined) yield* Queue.offer(renewed, bench.gatewayBundle)
        yield* Effect.sleep(20)
        const other = yield* bench.open(bench.worker.owner)
        const after = yield* taken({ ...bench, ...other, client })
        assert.strictEqual(bench.wire.attempts(), 2)
        for (const { call, fiber, runtime } of [
          { ...before, runtime: bench.runtime },
          { ...after, runtime: other.runtime }
        ]) {
          yield* heard(runtime.respond(call.requestId, "{}"))
          yield* Fiber.join(fiber)
        }
        yield* eventually("the old connection closes", Effect.sync(bench.wire.connections), (open) => open === 1)
      })
    )
  )
})

suite("in the clear", {})
suite("TLS", { tls: true })
