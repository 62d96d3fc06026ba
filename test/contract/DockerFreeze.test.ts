/** Containers that somebody else freezes, whom the engine allows that as well as their owner. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { OwnerId, type Worker } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import { docker } from "#test/support/DockerImages"
import * as DockerWorkers from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import * as EngineWire from "#test/support/EngineWire"
import { eventually } from "#test/support/Eventually"
import { WorkerFunctions } from "#test/support/WorkerFunctions"
import { call } from "./ContainerRuntimeContract.ts"

const mine = OwnerId.make("gateway-mine")

const started = Effect.gen(function* () {
  const runtime = yield* ContainerRuntime
  const functions = yield* WorkerFunctions
  const worker = yield* runtime.ensure(functions.spec("echo"), mine)
  yield* (yield* WorkerClient).ready(worker)
  return worker
})

const answer = (worker: Worker) =>
  Effect.flatMap(WorkerClient, (client) =>
    Effect.map(client.send(worker, call(worker, { n: 1 })), ({ payload }) => Buffer.from(payload).toString())
  )

const stateOf = ({ name }: Worker) => docker("inspect", "--format", "{{.State.Status}}", name)

const runs = (worker: Worker) => eventually("it runs", stateOf(worker), (state) => state === "running")

describe("a container that a stranger freezes", { ...needs("docker"), timeout: 60_000 }, () => {
  it.live("is thawed, and a call that came meanwhile is answered", () =>
    Effect.gen(function* () {
      const worker = yield* started
      yield* docker("pause", worker.name)
      assert.strictEqual(yield* answer(worker), '{"n":1}')
      yield* runs(worker)
    }).pipe(Effect.provide(DockerWorkers.layer()))
  )

  it.live("while nobody hears of it is found when the engine answers again", () =>
    Effect.gen(function* () {
      const wire = yield* EngineWire.make
      yield* Effect.gen(function* () {
        const worker = yield* started
        yield* wire.cut
        yield* docker("pause", worker.name)
        yield* wire.mend
        yield* runs(worker)
        assert.strictEqual(yield* answer(worker), '{"n":1}')
      }).pipe(Effect.provide(DockerWorkers.layer({ socketPath: wire.socketPath })))
    }).pipe(Effect.scoped)
  )

  it.live("stays frozen where its owner wants it so, and wakes although somebody has thawed it", () =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const worker = yield* started
      yield* runtime.suspend(worker.id, mine)
      yield* Effect.sleep(500)
      assert.strictEqual(yield* stateOf(worker), "paused")
      yield* docker("unpause", worker.name)
      yield* runtime.resume(worker.id, mine)
      assert.strictEqual(yield* answer(worker), '{"n":1}')
      assert.strictEqual(yield* stateOf(worker), "running")
    }).pipe(Effect.provide(DockerWorkers.layer()))
  )
})
