/** Calls by the data door that thaw their worker: what it costs when that fails, and that no event meets a frozen worker. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer } from "effect"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { ContainerNotFound, NotOwner, RouteNotFound, RuntimeUnavailable } from "#domain/Failure"
import { ContainerId, type LentWorker, type Worker } from "#domain/Worker"
import { failureHeader } from "#layers/grpc/door/DoorAnswer"
import * as HttpWorkerClient from "#layers/grpc/door/HttpWorkerClient"
import * as Status from "#layers/grpc/Status"
import { WorkerClient } from "#services/WorkerClient"
import { type Bench, certificatesOf, mine, watchLayer, withBench } from "#test/support/DataDoorBench"
import { eventually } from "#test/support/Eventually"
import * as FreePort from "#test/support/FreePort"
import * as OpenDoor from "#test/support/OpenDoor"
import { heard, invocation, text } from "#test/support/OpenDoor"

const frozen = (worker: Worker): LentWorker => ({ ...worker, isFrozen: true })

const answered = Effect.fnUntraced(function* ({ client, runtime }: Bench, worker: LentWorker) {
  const call = invocation()
  const polled = runtime.next()
  const fiber = yield* Effect.forkScoped(client.send(worker, call))
  yield* heard(polled)
  yield* heard(runtime.respond(call.requestId, "{}"))
  return yield* Fiber.join(fiber)
})

/** Whether the worker's poll is still open after a while in which an event would have come. */
const hearsNothing = Effect.fnUntraced(function* (polled: Promise<unknown>) {
  let hasHeard = false
  const heard = () => void (hasHeard = true)
  polled.then(heard, heard)
  yield* Effect.sleep(100)
  assert.isFalse(hasHeard)
})

for (const tls of [false, true]) {
  describe(`a call of a frozen worker (${tls ? "TLS" : "in the clear"})`, () => {
    it.live(
      "wakes it up and marks it as used, once, before it gets its event",
      withBench({ tls }, (bench) =>
        Effect.gen(function* () {
          const { client, resumed, touched, worker } = bench
          assert.isTrue(client.thaws(worker))
          yield* answered(bench, frozen(worker))
          assert.deepStrictEqual([resumed, touched], [[worker.id], []])
          yield* answered(bench, worker)
          assert.deepStrictEqual([resumed, touched], [[worker.id], [worker.id]])
        })
      )
    )
  })
}

describe("a worker that does not wake up for its call", () => {
  const failures = [
    [new RuntimeUnavailable({ detail: "it is not running" }), "useless"],
    [new RuntimeUnavailable({ detail: "no answer", isAway: true }), "away"],
    [new ContainerNotFound({ containerId: "x" }), "useless"],
    [new NotOwner({ containerId: "x" }), "useless"]
  ] as const

  for (const [failure, notThawed] of failures) {
    it.live(
      `gets no event: ${failure.message} makes it ${notThawed}`,
      withBench({ resume: () => Effect.fail(failure) }, (bench) =>
        Effect.gen(function* () {
          const { client, runtime, watched, worker } = bench
          const polled = runtime.next()
          yield* client.ready(worker)
          const told = yield* Effect.flip(client.send(frozen(worker), invocation()))
          assert.deepInclude(told, { _tag: "WorkerUnreachable", containerId: worker.id, notThawed })
          assert.include(told.message, failure.message)
          yield* hearsNothing(polled)
          // It is for the pool to say what becomes of it, and its Agent may be asked again.
          assert.deepStrictEqual(watched, { lost: [], refreshed: [worker.id] })
          assert.isTrue(client.thaws(worker))
        })
      )
    )
  }

  it.live(
    "in time gets none either when it wakes up later",
    withBench({ door: { thawLimitMs: 100 }, resume: () => Effect.sleep(200) }, (bench) =>
      Effect.gen(function* () {
        const { client, dataDoor, runtime, worker } = bench
        const polled = runtime.next()
        yield* client.ready(worker)
        const told = yield* Effect.flip(client.send(frozen(worker), invocation()))
        assert.deepInclude(told, { _tag: "WorkerUnreachable", notThawed: "away" })
        assert.include(told.message, "within 100 ms")
        assert.strictEqual(dataDoor.callsInFlight(), 0)
        yield* Effect.sleep(100)
        yield* hearsNothing(polled)
      })
    )
  )

  it.live("loses nothing of its function's time while it wakes up", () => {
    const timeoutMs = 400
    return withBench({ timeoutMs, resume: () => Effect.sleep(2 * timeoutMs) }, (bench) =>
      Effect.gen(function* () {
        const { report } = yield* answered(bench, frozen(bench.worker))
        assert.isBelow(report.durationMs, timeoutMs)
      })
    )()
  })

  it.live("wakes up all the same when its caller leaves, and the call runs once, to its end", () => {
    const woken = Deferred.makeUnsafe<void>()
    return withBench({ resume: () => Deferred.await(woken) }, (bench) =>
      Effect.gen(function* () {
        const { client, dataDoor, resumed, runtime, worker } = bench
        const polled = runtime.next()
        yield* client.ready(worker)
        const call = invocation()
        const fiber = yield* Effect.forkScoped(client.send(frozen(worker), call))
        yield* eventually(
          "it is being woken",
          Effect.sync(() => resumed.length),
          (count) => count === 1
        )
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(dataDoor.callsInFlight(), 1)
        yield* Deferred.succeed(woken, undefined)
        const event = yield* heard(polled)
        assert.strictEqual(event.headers["lambda-runtime-aws-request-id"], call.requestId)
        yield* heard(runtime.respond(call.requestId, "{}"))
        yield* eventually("the call is over", Effect.sync(dataDoor.callsInFlight), (count) => count === 0)
        assert.strictEqual(resumed.length, 1)
      })
    )()
  })
})

/** An Agent's data door as it was before calls could thaw a worker: it knows the way to it no more than any other. */
const olderDoor = (asked: Array<string>): Server =>
  createServer((request, response) => {
    const path = request.url ?? ""
    request.resume()
    if (path === "/pulse") return response.writeHead(204).end()
    asked.push(path.replace(/^.*[/]/, ""))
    if (path.endsWith("/invocations")) return response.writeHead(200, { "esb-duration-ms": "1" }).end("{}")
    const refusal = new RouteNotFound({ method: "POST", path })
    return response.writeHead(404, { [failureHeader]: refusal._tag }).end(Status.toText(refusal))
  })

const listening = (server: Server, port = 0) =>
  Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(port, "127.0.0.1", () => resume(Effect.succeed((server.address() as AddressInfo).port)))
    }),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )

const gateway = Effect.map(
  Layer.build(
    HttpWorkerClient.layer.pipe(Layer.provide([watchLayer({ lost: [], refreshed: [] }), certificatesOf(undefined)]))
  ),
  (services) => Context.get(services, WorkerClient)
)

const workerAt = (port: number): Worker => ({
  id: ContainerId.make("esb-test-orders-00000000"),
  name: "esb-test-orders-00000000",
  functionName: OpenDoor.spec.functionName,
  owner: mine,
  specHash: "5ec",
  protocol: "runtime-api",
  address: { host: "127.0.0.1", port },
  createdAtUnixSeconds: 1_700_000_000
})

describe("a data door that does not thaw workers", () => {
  it.live("of an older Agent is asked once, leaves the worker as it is, and takes calls of those that run", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const worker = workerAt(yield* listening(olderDoor(asked)))
      const client = yield* gateway
      assert.isTrue(client.thaws(worker))
      const told = yield* Effect.flip(client.send(frozen(worker), invocation()))
      assert.deepInclude(told, { _tag: "WorkerUnreachable", notThawed: "away" })
      assert.isFalse(client.thaws(worker))
      assert.strictEqual(text((yield* client.send(worker, invocation())).payload), "{}")
      assert.isFalse(client.thaws(worker))
      assert.deepStrictEqual(asked, ["thawed-invocations", "invocations"])
    })
  )

  it.live("because it cannot be reached is not asked again before it has answered", () =>
    Effect.gen(function* () {
      const port = yield* FreePort.find
      const worker = workerAt(port)
      const client = yield* gateway
      const told = yield* Effect.flip(client.send(frozen(worker), invocation()))
      assert.deepInclude(told, { _tag: "WorkerUnreachable", notThawed: "away" })
      assert.isFalse(client.thaws(worker))
      yield* listening(olderDoor([]), port)
      yield* client.send(worker, invocation())
      assert.isTrue(client.thaws(worker))
    })
  )
})
