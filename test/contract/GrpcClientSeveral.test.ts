/** One Gateway and several Agents: where workers start, and what is said of those that cannot be asked. */
import { assert, it } from "@effect/vitest"
import { status } from "@grpc/grpc-js"
import { Effect, Fiber } from "effect"
import { ContainerId, type OwnerId } from "#domain/Worker"
import { Agents } from "#layers/grpc/client/Agents"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { eventually } from "#test/support/Eventually"
import * as ForeignAgent from "#test/support/ForeignAgent"
import { owner, spec, using } from "#test/support/GrpcClient"

const { answer, refuse } = ForeignAgent

const stateOf = (containerId: string, by: OwnerId = owner) => ({
  containerId,
  functionName: "orders",
  status: "RUNNING",
  ownerId: by
})

/** Starts workers named after itself, and lists those it is told to have. */
const having = (name: string, ...ids: ReadonlyArray<string>) => ({
  EnsureContainer: answer({ id: `${name}-new`, ipAddress: "10.88.0.7", port: 8080 }),
  DestroyContainer: answer({ success: true }),
  PauseContainer: ids.length === 0 ? refuse(status.NOT_FOUND) : answer({ success: true }),
  ListContainers: answer({ containers: ids.map((id) => stateOf(id)) })
})

const agentsNamed = (...names: ReadonlyArray<string>) =>
  Effect.forEach(names, (name) => ForeignAgent.make(having(name)))

const asked = (agent: ForeignAgent.ForeignAgent | undefined, rpc: ForeignAgent.Rpc): number =>
  agent?.calls.filter((call) => call.rpc === rpc).length ?? Number.NaN

/** An address at which nobody listens any more. */
const gone = Effect.map(Effect.scoped(ForeignAgent.make()), ({ address }) => address)

/** The list that every client asks for when it begins has been answered. */
const settled = (...agents: ReadonlyArray<ForeignAgent.ForeignAgent>) =>
  eventually(
    "every Agent was asked",
    Effect.sync(() => agents.every((agent) => asked(agent, "ListContainers") > 0)),
    (all) => all
  )

it.live("starts go to the Agent with the fewest workers of ours", () =>
  Effect.gen(function* () {
    const [a, b] = [
      yield* ForeignAgent.make(having("a", "a1", "a2", "a3")),
      yield* ForeignAgent.make(having("b", "b1"))
    ]
    yield* Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      yield* runtime.list(owner)
      for (let n = 0; n < 2; n += 1) {
        b.says({ ...having(`b${n}`, "b1"), ListContainers: "silence" })
        yield* runtime.ensure(spec, owner)
      }
      assert.deepStrictEqual([asked(a, "EnsureContainer"), asked(b, "EnsureContainer")], [0, 2])
      // Three each: the first that is named gets the next, and then the other.
      yield* runtime.ensure(spec, owner)
      yield* runtime.ensure(spec, owner)
      assert.deepStrictEqual([asked(a, "EnsureContainer"), asked(b, "EnsureContainer")], [1, 3])
    }).pipe(using([a.address, b.address]))
  })
)

it.live("a start that is under way counts like a worker", () =>
  Effect.gen(function* () {
    const [a, b] = yield* agentsNamed("a", "b")
    a?.says({ ...having("a"), EnsureContainer: "silence" })
    yield* Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const slow = yield* Effect.forkChild(runtime.ensure(spec, owner))
      yield* eventually(
        "it has arrived",
        Effect.sync(() => asked(a, "EnsureContainer")),
        (count) => count === 1
      )
      assert.strictEqual((yield* runtime.ensure(spec, owner)).id, "b-new")
      yield* Fiber.interrupt(slow)
    }).pipe(using([a?.address ?? "", b?.address ?? ""]))
  })
)

it.live("a start goes to the next Agent when one cannot be reached, and to that one last from then on", () =>
  Effect.gen(function* () {
    const nobody = yield* gone
    const [a, b] = yield* agentsNamed("a", "b")
    yield* Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const { choose } = yield* Agents
      for (let n = 0; n < 4; n += 1) yield* runtime.ensure(spec, owner)
      assert.strictEqual(asked(a, "EnsureContainer") + asked(b, "EnsureContainer"), 4)
      assert.deepStrictEqual(choose().at(-1)?.address, nobody)
    }).pipe(using([nobody, a?.address ?? "", b?.address ?? ""]))
  })
)

it.live("a start that an Agent may have begun is not tried on another", () =>
  Effect.gen(function* () {
    const [a, b] = yield* agentsNamed("a", "b")
    yield* Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      for (const refusal of [refuse(status.UNAVAILABLE), refuse(status.INTERNAL), "silence"] as const) {
        a?.says({ ...having("a"), EnsureContainer: refusal })
        const failure = yield* Effect.flip(runtime.ensure(spec, owner))
        assert.strictEqual(failure._tag, "RuntimeUnavailable")
        assert.include(failure.message, a?.address ?? "")
        // An answer, so that it is not the last to be chosen.
        yield* runtime.list(owner)
      }
      assert.strictEqual(asked(b, "EnsureContainer"), 0)
    }).pipe(using([a?.address ?? "", b?.address ?? ""], { deadlines: { ensure: 50 } }))
  })
)

it.live("when no Agent can be reached all of them are named", () =>
  Effect.gen(function* () {
    const addresses = [yield* gone, yield* gone]
    yield* Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const failure = yield* Effect.flip(runtime.ensure(spec, owner))
      assert.strictEqual(failure._tag, "RuntimeUnavailable")
      for (const address of addresses) assert.include(failure.message, `Agent ${address} cannot be reached`)
      assert.strictEqual((yield* Effect.flip(runtime.list(owner)))._tag, "RuntimeUnavailable")
    }).pipe(using(addresses))
  })
)

it.live("a list has what the Agents that answer have, and says nothing of the others' workers", () =>
  Effect.gen(function* () {
    const [a, b] = [yield* ForeignAgent.make(having("a", "a1")), yield* ForeignAgent.make(having("b", "b1", "b2"))]
    const nobody = yield* gone
    yield* Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const { held } = yield* Agents
      const ids = Effect.map(runtime.list(owner), (states) => states.map(({ id }) => id).toSorted())
      assert.deepStrictEqual(
        yield* ids,
        ["a1", "b1", "b2"].map((id) => ContainerId.make(id))
      )
      b.says({ ...having("b"), ListContainers: refuse(status.UNAVAILABLE) })
      assert.deepStrictEqual(yield* ids, [ContainerId.make("a1")])
      assert.isTrue(held.mayBeUseful(ContainerId.make("b1")))
      b.says(having("b"))
      assert.deepStrictEqual(yield* ids, [ContainerId.make("a1")])
      assert.isFalse(held.mayBeUseful(ContainerId.make("b1")))
    }).pipe(using([a.address, b.address, nobody]))
  })
)

it.live("a worker is asked for on the Agent that has shown it, and on no other", () =>
  Effect.gen(function* () {
    const [a, b] = [yield* ForeignAgent.make(having("a", "a1")), yield* ForeignAgent.make(having("b", "b1"))]
    yield* Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      yield* runtime.list(owner)
      yield* runtime.suspend(ContainerId.make("b1"), owner)
      yield* runtime.destroy(ContainerId.make("b1"), owner)
      assert.deepStrictEqual([asked(a, "PauseContainer"), asked(b, "PauseContainer")], [0, 1])
      assert.deepStrictEqual([asked(a, "DestroyContainer"), asked(b, "DestroyContainer")], [0, 1])
    }).pipe(using([a.address, b.address]))
  })
)

it.live("a worker that nobody has shown yet is looked for everywhere", () =>
  Effect.gen(function* () {
    const [a, b] = [yield* ForeignAgent.make(having("a")), yield* ForeignAgent.make(having("b", "b1"))]
    yield* Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      yield* settled(a, b)
      yield* runtime.suspend(ContainerId.make("unheard-of"), owner)
      assert.deepStrictEqual([asked(a, "PauseContainer"), asked(b, "PauseContainer")], [1, 1])
      b.says(having("b"))
      assert.strictEqual(
        (yield* Effect.flip(runtime.suspend(ContainerId.make("unheard-of"), owner)))._tag,
        "ContainerNotFound"
      )
      yield* runtime.destroy(ContainerId.make("unheard-of"), owner)
      assert.deepStrictEqual([asked(a, "DestroyContainer"), asked(b, "DestroyContainer")], [1, 1])
    }).pipe(using([a.address, b.address]))
  })
)

it.live("a worker that may be on an Agent that cannot be reached is neither gone nor destroyed", () =>
  Effect.gen(function* () {
    const a = yield* ForeignAgent.make(having("a"))
    const nobody = yield* gone
    yield* Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const id = ContainerId.make("unheard-of")
      assert.strictEqual((yield* Effect.flip(runtime.suspend(id, owner)))._tag, "RuntimeUnavailable")
      assert.strictEqual((yield* Effect.flip(runtime.destroy(id, owner)))._tag, "RuntimeUnavailable")
    }).pipe(using([a.address, nobody]))
  })
)
