/** A Gateway, or an Agent, that ends and comes back: what becomes of workers, and of the calls in them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { existsSync } from "node:fs"
import * as AgentStack from "#test/support/AgentStack"
import { eventually } from "#test/support/Eventually"
import type { Worked } from "#test/support/BareGateway"
import * as Faults from "#test/support/Faults"
import * as HonestError from "#test/support/HonestError"
import * as Processes from "#test/support/Processes"

/** A call in the middle of which a Gateway ends and starts, and another worker does, however busy the machine is. */
const longMs = 6_000

const endsWithinMs = 5_000

const isGone = (what: string, pid: number, withinMs = endsWithinMs) =>
  eventually(
    what,
    Effect.sync(() => Processes.isAlive(pid)),
    (alive) => !alive,
    withinMs
  )

const isBusy = (gateway: AgentStack.Gateway, functionName: string) =>
  eventually(`${functionName} is busy`, gateway.pool(functionName), ({ busy }) => busy === 1)

/** How many of these were under way at once, at most: lines of the Agent's log tell when each ended and how long it took. */
const mostAtOnce = (log: string, method: string): number => {
  const spans = [...log.matchAll(new RegExp(`^(\\S+) .*method=${method} .*durationMs=([\\d.]+)`, "gm"))].map(
    ([, at = "", took]) => ({ from: Date.parse(at) - Number(took), to: Date.parse(at) })
  )
  return Math.max(0, ...spans.map(({ from }) => spans.filter((other) => other.from <= from && from < other.to).length))
}

/** Until the function itself has begun: a Gateway counts a worker as busy before it has sent the event. */
const hasBegun = (file: string) =>
  eventually(
    "the function runs",
    Effect.sync(() => existsSync(file)),
    (exists) => exists
  )

/** So many provisioned workers rest, all of them other ones than before. */
const areThereAnew = (
  gateway: AgentStack.Gateway,
  { home }: AgentStack.Agent,
  before: ReadonlyArray<number>,
  count: number
) => {
  const rested = Effect.map(gateway.pool("ready"), ({ idle, provisioning }) => ({
    idle,
    provisioning,
    fresh: AgentStack.workersIn(home).filter((pid) => !before.includes(pid)).length
  }))
  const areThere = ({ fresh, idle, provisioning }: Effect.Success<typeof rested>) =>
    idle === count && provisioning === 0 && fresh >= count
  return eventually(`${count} new workers are ready`, rested, areThere, 8_000)
}

describe("Behind an Agent", Processes.needsProc, () => {
  it.layer(AgentStack.layer, AgentStack.live)("when a Gateway ends and comes back", (it) => {
    it.effect("its idle workers go on, whether it was stopped or killed", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const agent = yield* stack.agent()
        const gateway = yield* stack.gateway([agent.address])
        const { pid } = yield* gateway.work("work")

        assert.strictEqual(yield* gateway.stop, 0)
        assert.isTrue(Processes.isAlive(pid))
        yield* gateway.start()
        const afterStop = yield* gateway.work("work")
        assert.deepStrictEqual([afterStop.pid, afterStop.calls], [pid, 2])

        yield* gateway.kill
        yield* gateway.start()
        const afterKill = yield* gateway.work("work")
        assert.deepStrictEqual([afterKill.pid, afterKill.calls], [pid, 3])
        assert.deepStrictEqual(AgentStack.workersIn(agent.home), [pid])
      })
    )

    it.effect("a worker in a call ends it first, and then goes on", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const agent = yield* stack.agent()
        const gateway = yield* stack.gateway([agent.address])
        const { pid } = yield* gateway.work("work")

        const drained = yield* Effect.forkChild(gateway.work("work", { id: "drained", ms: 800 }))
        yield* isBusy(gateway, "work")
        assert.strictEqual(yield* gateway.stop, 0)
        assert.deepInclude(yield* Fiber.join(drained), { id: "drained", pid })

        yield* gateway.start()
        const [begun, done] = [stack.fresh("begun"), stack.fresh("done")]
        yield* Effect.forkChild(Effect.exit(gateway.call("work", { file: begun, done, ms: longMs })))
        yield* hasBegun(begun)
        yield* gateway.kill
        yield* gateway.start()
        assert.isFalse(existsSync(done), "it is in the call still")
        assert.deepInclude(yield* gateway.pool("work"), { total_workers: 1, busy: 1 })
        yield* eventually(
          "it is free",
          gateway.pool("work"),
          ({ busy, idle }) => busy === 0 && idle === 1,
          longMs + endsWithinMs
        )
        assert.isTrue(existsSync(done))
        assert.deepInclude(yield* gateway.work("work"), { pid, calls: 4 })
      })
    )

    it.effect(
      "the workers of a function that has changed meanwhile go: idle ones at once, busy ones after their call",
      () =>
        Effect.gen(function* () {
          const stack = yield* AgentStack.Shared
          const agent = yield* stack.agent()
          const gateway = yield* stack.gateway([agent.address])
          const [begun, done] = [stack.fresh("begun"), stack.fresh("done")]
          yield* Effect.forkChild(Effect.exit(gateway.call("work", { file: begun, done, ms: longMs })))
          yield* hasBegun(begun)
          const idle = yield* gateway.work("work")
          const [busy] = AgentStack.workersIn(agent.home).filter((pid) => pid !== idle.pid)
          assert(busy !== undefined)

          yield* gateway.kill
          yield* gateway.deploy({ work: { environment: { GREETING: "new" } } })
          yield* gateway.start()
          yield* isGone("the idle worker goes", idle.pid)
          assert.isTrue(Processes.isAlive(busy))
          assert.deepInclude(yield* gateway.work("work"), { greeting: "new", calls: 1 })
          assert.isFalse(existsSync(done))
          yield* isGone("the busy worker goes", busy, longMs + endsWithinMs)
          assert.isTrue(existsSync(done), "its call was not cut")
        })
    )

    it.effect(
      "or stays away, an Agent frees its idle workers after the lease, and busy ones when their call has ended",
      () =>
        Effect.gen(function* () {
          const stack = yield* AgentStack.Shared
          const agent = yield* stack.agent({ OWNER_LEASE_SECONDS: "1" })
          const gateway = yield* stack.gateway([agent.address])
          const [begun, done] = [stack.fresh("begun"), stack.fresh("done")]
          yield* Effect.forkChild(Effect.exit(gateway.call("work", { file: begun, done, ms: longMs })))
          yield* hasBegun(begun)
          const { pid: idle } = yield* gateway.work("work")
          const [busy] = AgentStack.workersIn(agent.home).filter((pid) => pid !== idle)
          assert(busy !== undefined)

          yield* Effect.sleep("1200 millis")
          assert.isTrue(Processes.isAlive(idle), "its Gateway speaks to the Agent, though nobody calls")
          yield* gateway.kill
          yield* isGone("the idle worker goes", idle, 2_500)
          assert.isTrue(Processes.isAlive(busy))
          assert.isFalse(existsSync(done))
          yield* isGone("the busy worker goes", busy, longMs + endsWithinMs)
          assert.isTrue(existsSync(done), "its call was not cut")
        })
    )
  })

  it.layer(AgentStack.layer, AgentStack.live)("when the Agent ends and comes back", (it) => {
    it.effect(
      "as planned, calls in flight end well, new ones are refused, and provisioned workers are made anew a few at a time",
      () =>
        Effect.gen(function* () {
          const stack = yield* AgentStack.Shared
          const agent = yield* stack.agent()
          const gateway = yield* stack.gateway([agent.address], {
            functions: { work: {}, ready: { scaling: { min_capacity: 8 } } }
          })
          yield* eventually("eight are ready", gateway.pool("ready"), ({ idle }) => idle === 8)
          const { pid } = yield* gateway.work("work")
          const before = AgentStack.workersIn(agent.home)

          const file = stack.fresh("begun")
          const inFlight = yield* Effect.forkChild(gateway.work("work", { id: "in flight", file, ms: longMs }))
          yield* hasBegun(file)
          const stopping = yield* Effect.forkChild(agent.stop)
          yield* eventually(
            "it takes no new call",
            gateway.call("ready"),
            (answer) => HonestError.nameOf(answer) !== undefined
          )
          assert.isUndefined(inFlight.pollUnsafe(), "while the one in flight goes on")
          assert.deepInclude(yield* Fiber.join(inFlight), { id: "in flight", pid })
          const answeredAt = performance.now()
          assert.strictEqual(yield* Fiber.join(stopping), 0)
          assert.isBelow(performance.now() - answeredAt, 3_500, "long before DRAIN_TIMEOUT")
          assert.deepStrictEqual(
            before.filter((each) => Processes.isAlive(each)),
            []
          )

          const logged = agent.stderr().length
          yield* agent.start()
          yield* areThereAnew(gateway, agent, before, 8)
          const started = mostAtOnce(agent.stderr().slice(logged), "EnsureContainer")
          assert.isTrue(started > 1 && started <= 4, `${started} at once`)
          assert.notInclude(before, (yield* gateway.work("work")).pid)
        })
    )

    it.effect(
      "after kill -9, a call in it is told so, the next one is answered, and provisioned workers are made anew",
      () =>
        Effect.gen(function* () {
          const stack = yield* AgentStack.Shared
          const agent = yield* stack.agent()
          const gateway = yield* stack.gateway([agent.address], {
            functions: { work: {}, ready: { scaling: { min_capacity: 2 } } }
          })
          yield* eventually("two are ready", gateway.pool("ready"), ({ idle }) => idle === 2)
          const before = AgentStack.workersIn(agent.home)

          const file = stack.fresh("begun")
          const inFlight = yield* Effect.forkChild(gateway.call("work", { file, ms: 8_000 }))
          yield* hasBegun(file)
          const killedAt = performance.now()
          yield* agent.kill
          assert.strictEqual(HonestError.nameOf(yield* Fiber.join(inFlight)), "Sandbox.Failure")
          assert.isBelow(performance.now() - killedAt, 1_000)
          assert.strictEqual(HonestError.nameOf(yield* gateway.call("work")), "EC2UnexpectedException")
          assert.isBelow(performance.now() - killedAt, 2_000)

          yield* agent.start()
          const startedAt = performance.now()
          yield* eventually(
            "calls are answered",
            gateway.call("ready"),
            (answer) => HonestError.nameOf(answer) === undefined
          )
          assert.isBelow(performance.now() - startedAt, 2_500)
          yield* areThereAnew(gateway, agent, before, 2)
          yield* eventually(
            "no worker of the killed Agent is left",
            Effect.sync(() => before.filter((pid) => Processes.isAlive(pid))),
            (left) => left.length === 0
          )
        })
    )

    it.effect("after kill -9, even a worker that cannot notice it is gone", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const agent = yield* stack.agent()
        const gateway = yield* stack.gateway([agent.address])
        const { pid } = yield* gateway.work("work")
        const launcher = Processes.of(agent.home).find((each) => each.pid === pid)?.parent ?? 0
        yield* Effect.forEach([pid, launcher], Faults.freeze)
        yield* agent.kill
        yield* Faults.kill(launcher)
        assert.isTrue(Processes.isAlive(pid))
        yield* agent.start()
        assert.isFalse(Processes.isAlive(pid), "the next start has ended it")
        assert.include(agent.stderr(), "1 workers of an earlier run were removed")
        const next = yield* eventually(
          "the next call is answered",
          gateway.call("work"),
          ({ status }) => status === 200
        )
        assert.notStrictEqual((next.json() as Worked).pid, pid)
      })
    )
  })
})
