/** Frozen containers of containerd, thawed by the calls that an Agent's data door hands to them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { LentWorker } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import * as Certified from "#test/support/Certified"
import { functionNamed, listed, mine, started, taskOf } from "#test/support/ContainerdSamples"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as FaultyContainerd from "#test/support/FaultyContainerd"
import * as Freezers from "#test/support/Freezers"
import * as GrpcAgent from "#test/support/GrpcAgent"
import { call } from "./ContainerRuntimeContract.ts"

/** What a Gateway has of an Agent whose workers these are. */
const behindAnAgent = (options: ContainerdWorkers.Options) =>
  Layer.unwrap(
    Effect.map(Certified.make, ({ agent, gateway }) =>
      GrpcAgent.gateway("the data door", gateway.layer).pipe(
        Layer.provide(GrpcAgent.agent(ContainerdWorkers.onMachine(options), agent.layer))
      )
    )
  ).pipe(Layer.provideMerge(ContainerdWorkers.machine()))

const frozen = Effect.gen(function* () {
  const runtime = yield* ContainerRuntime
  const worker = yield* started(yield* functionNamed("echo"))
  yield* runtime.suspend(worker.id, mine)
  const { pid, state } = yield* taskOf(worker)
  assert.isTrue(Freezers.isFrozen(pid))
  assert.strictEqual((yield* listed)[0]?.status, "PAUSED")
  return { worker: { ...worker, isFrozen: true } satisfies LentWorker, pid, state }
})

describe("frozen containers of containerd behind an Agent", { ...needs("containerd", "cni"), timeout: 60_000 }, () => {
  for (const [freeze, asContainerdHasIt] of [
    ["cgroup", "RUNNING"],
    ["task", "PAUSED"]
  ] as const) {
    it.live(`are thawed by their call, by ${freeze}, again and again`, () =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const client = yield* WorkerClient
        const { pid, state, worker } = yield* frozen
        assert.strictEqual(state, asContainerdHasIt)
        for (const n of [1, 2, 3]) {
          const result = yield* client.send(worker, call(worker, { n }))
          assert.strictEqual(Buffer.from(result.payload).toString(), `{"n":${n}}`)
          assert.isFalse(Freezers.isFrozen(pid))
          // Its answer may be here before it has asked for its next call.
          const [state] = yield* eventually("it rests", listed, ([seen]) => seen?.phase === "idle")
          assert.strictEqual(state?.status, "RUNNING")
          yield* runtime.suspend(worker.id, mine)
        }
        assert.isTrue(Freezers.isFrozen(pid))
      }).pipe(Effect.provide(behindAnAgent({ containerd: { freeze } })))
    )
  }

  it.live("stay frozen, and get no event, where containerd refuses to wake them", () => {
    const faulty = FaultyContainerd.make()
    return Effect.gen(function* () {
      const client = yield* WorkerClient
      const { pid, worker } = yield* frozen
      faulty.fail("Tasks.Resume", "refused")
      const failure = yield* Effect.flip(client.send(worker, call(worker, { n: 1 })))
      assert.deepInclude(failure, { _tag: "WorkerUnreachable", notThawed: "useless" })
      assert.isTrue(Freezers.isFrozen(pid))
      assert.deepInclude((yield* listed)[0], { status: "PAUSED", phase: "idle" })
      const result = yield* client.send(worker, call(worker, { n: 2 }))
      assert.strictEqual(Buffer.from(result.payload).toString(), '{"n":2}')
    }).pipe(Effect.provide(behindAnAgent({ between: faulty.layer, containerd: { freeze: "task" } })))
  })

  it.live("that are gone get no event", () =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const client = yield* WorkerClient
      const { worker } = yield* frozen
      yield* runtime.destroy(worker.id, mine)
      const failure = yield* Effect.flip(client.send(worker, call(worker, { n: 1 })))
      assert.deepInclude(failure, { _tag: "WorkerUnreachable", notThawed: "useless" })
      assert.deepStrictEqual(yield* listed, [])
    }).pipe(Effect.provide(behindAnAgent({})))
  )
})
