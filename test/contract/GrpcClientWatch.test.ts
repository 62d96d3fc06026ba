/** What a Gateway knows of workers behind an Agent between two calls. */
import { assert, it } from "@effect/vitest"
import { status } from "@grpc/grpc-js"
import { Effect } from "effect"
import { ContainerId } from "#domain/Worker"
import { AgentWatch } from "#layers/grpc/client/AgentWatch"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { eventually } from "#test/support/Eventually"
import * as ForeignAgent from "#test/support/ForeignAgent"
import { owner, spec, using } from "#test/support/GrpcClient"

const { answer, refuse } = ForeignAgent

const id = ContainerId.make("esb-test-orders-00000001")
const stranger = ContainerId.make("esb-test-orders-00000002")

const state = { containerId: id, functionName: "orders", status: "RUNNING", ownerId: owner, phase: "idle" }
const started = { EnsureContainer: answer({ id, ipAddress: "127.0.0.1", port: 50_052, protocol: "runtime-api" }) }
const listing = (...containers: ReadonlyArray<object>) => ({ ...started, ListContainers: answer({ containers }) })

const lists = (agent: ForeignAgent.ForeignAgent): number =>
  agent.calls.filter(({ rpc }) => rpc === "ListContainers").length

const isAlive = Effect.map(AgentWatch, (watch) => watch.isAlive(id))

it.live("a worker is alive until a list, asked for after its start, shows that it is not", () =>
  Effect.gen(function* () {
    const ends = [[], [{ ...state, status: "STOPPED" }], [{ ...state, phase: "dirty" }]]
    for (const containers of ends) {
      const agent = yield* ForeignAgent.make(listing(state))
      yield* Effect.gen(function* () {
        const { ensure } = yield* ContainerRuntime
        yield* ensure(spec, owner)
        assert.isTrue(yield* isAlive)
        const before = lists(agent)
        yield* eventually(
          "it is asked for",
          Effect.sync(() => lists(agent)),
          (count) => count > before + 1
        )
        assert.isTrue(yield* isAlive)
        agent.says(listing(...containers))
        yield* eventually("it is noticed", isAlive, (alive) => !alive)
        // It does not come back to life.
        agent.says(listing(state))
        if (containers.length > 0) yield* Effect.andThen(Effect.sleep(50), Effect.map(isAlive, assert.isFalse))
      }).pipe(using([agent.address], { pollEveryMs: 10 }))
    }
  })
)

it.live("a list that was asked for before a worker's start says nothing of it", () =>
  Effect.gen(function* () {
    const agent = yield* ForeignAgent.make({ ...started, ListContainers: "late" })
    yield* Effect.gen(function* () {
      const { ensure } = yield* ContainerRuntime
      yield* eventually(
        "it is asked for",
        Effect.sync(() => lists(agent)),
        (count) => count === 1
      )
      yield* ensure(spec, owner)
      agent.release({ containers: [] })
      yield* Effect.sleep(50)
      assert.isTrue(yield* isAlive)
    }).pipe(using([agent.address]))
  })
)

it.live("what a call has shown to be lost is not alive, and neither is what was destroyed", () =>
  Effect.gen(function* () {
    const agent = yield* ForeignAgent.make({ ...listing(state), DestroyContainer: answer({ success: true }) })
    yield* Effect.gen(function* () {
      const { destroy, ensure } = yield* ContainerRuntime
      const { isAlive, lost } = yield* AgentWatch
      yield* ensure(spec, owner)
      lost(id)
      assert.isFalse(isAlive(id))
      assert.isTrue(isAlive(stranger))
      lost(stranger)
      assert.isFalse(isAlive(stranger))
      yield* ensure(spec, owner)
      assert.isTrue(isAlive(id))
      yield* destroy(id, owner)
      assert.isFalse(isAlive(id))
    }).pipe(using([agent.address]))
  })
)

it.live("a refresh knows what is true now, and many share one request", () =>
  Effect.gen(function* () {
    const agent = yield* ForeignAgent.make(listing(state))
    yield* Effect.gen(function* () {
      const { ensure } = yield* ContainerRuntime
      const { refresh } = yield* AgentWatch
      yield* eventually(
        "the first list",
        Effect.sync(() => lists(agent)),
        (count) => count === 1
      )
      yield* ensure(spec, owner)
      agent.says(listing())
      const many = Array.from({ length: 50 }, () => refresh(id))
      yield* Effect.all(many, { concurrency: "unbounded" })
      assert.isFalse(yield* isAlive)
      assert.isAtMost(lists(agent), 3)
    }).pipe(using([agent.address]))
  })
)

it.live("an Agent that refuses or cannot be reached leaves everything as it was known", () =>
  Effect.gen(function* () {
    const agent = yield* ForeignAgent.make(listing(state))
    yield* Effect.gen(function* () {
      const { ensure } = yield* ContainerRuntime
      const { refresh } = yield* AgentWatch
      yield* ensure(spec, owner)
      agent.says({ ListContainers: refuse(status.INTERNAL) })
      yield* refresh(id)
      assert.isTrue(yield* isAlive)
    }).pipe(using([agent.address]))
  })
)
