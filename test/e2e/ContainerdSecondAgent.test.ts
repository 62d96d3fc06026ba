/** Two Agents of one stack at one containerd, by mistake or because the first is gone: whose the containers are is never in doubt. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as AgentStack from "#test/support/AgentStack"
import * as ContainerdStack from "#test/support/ContainerdStack"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as SecondAgent from "#test/support/SecondAgent"

describe("a second Agent of a stack at its containerd", { ...needs("containerd", "cni"), timeout: 60_000 }, () => {
  it.layer(
    AgentStack.layer,
    AgentStack.live
  )((it) => {
    it.effect("does not start while the first lives, and has its containers once that is gone", () =>
      Effect.gen(function* () {
        const { stack: environment } = yield* ContainerdWorkers.Machine
        const { agent, gateway } = yield* ContainerdStack.make({ base: "our node", names: ["work"] })
        yield* SecondAgent.inherit({
          environment,
          settings: yield* ContainerdStack.settings,
          first: agent,
          gateway,
          call: gateway.work("work"),
          containers: ContainerdStack.running
        })
      }).pipe(Effect.scoped, Effect.provide(ContainerdWorkers.machine()))
    )

    it.effect("of another environment works beside it, and neither touches the other's containers", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const { agent, gateway, image } = yield* ContainerdStack.make({ base: "our node", names: ["work"] })
        yield* gateway.work("work")
        const ours = yield* ContainerdStack.running
        const settings = yield* ContainerdStack.settings
        const other = yield* stack.agent({ ...settings, ENV: "other", OWNER_LEASE_SECONDS: "1" })
        const theirs = yield* stack.gateway([other.address], {
          functions: { work: { image, handler: "calls.work" } }
        })
        yield* theirs.work("work")
        assert.strictEqual((yield* ContainerdStack.running).length, 2)
        yield* other.kill
        yield* other.start()
        yield* eventually("it serves again", theirs.call("work"), ({ status }) => status === 200, 20_000)
        // With its Gateway gone, all that is its own is collected.
        yield* theirs.stop
        yield* eventually("ours are left", ContainerdStack.running, (names) => names.length === 1, 15_000)
        assert.deepStrictEqual(yield* ContainerdStack.running, ours)
        yield* gateway.work("work")
        assert.strictEqual(yield* agent.stop, 0)
      }).pipe(Effect.scoped, Effect.provide(ContainerdWorkers.machine()))
    )
  })
})
