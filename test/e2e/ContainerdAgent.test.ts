/** A Gateway and an Agent whose workers are containers of containerd, in a network of plugins. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as AgentStack from "#test/support/AgentStack"
import { tasks } from "#test/support/ContainerdSamples"
import * as ContainerdStack from "#test/support/ContainerdStack"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as Freezers from "#test/support/Freezers"
import * as Reach from "#test/support/Reach"

const live = { ...AgentStack.live, timeout: "60 seconds" } as const

describe("an Agent with containerd", needs("containerd", "cni"), () => {
  it.layer(
    Layer.merge(AgentStack.layer, ContainerdWorkers.machine()),
    live
  )((it) => {
    it.effect("starts, freezes, wakes and replaces containers, and finds them again after it was stopped", () =>
      Effect.gen(function* () {
        const { ctr, namespace, stack: environment } = yield* ContainerdWorkers.Machine
        const { agent, gateway, say } = yield* ContainerdStack.echoing({ gateway: { PAUSE_IDLE_SECONDS: "1" } })
        yield* say(1)
        const [first] = yield* tasks
        assert.match(first?.name ?? "", new RegExp(`^${namespace}-${environment}-echo-[0-9a-f]{8}$`))

        yield* eventually("it is frozen", tasks, ([seen]) => seen !== undefined && Freezers.isFrozen(seen.pid))
        yield* say(2)

        yield* ctr("tasks", "kill", "--signal", "SIGKILL", first?.name ?? "")
        yield* eventually("it is missed", tasks, (all) => all.every(({ state }) => state !== "RUNNING"))
        yield* say(3)

        const [second] = yield* eventually("one is left", tasks, ({ length }) => length === 1)
        assert.notStrictEqual(second?.name, first?.name)
        assert.strictEqual(yield* agent.stop, 0)
        assert.strictEqual((yield* tasks).length, 1)
        yield* agent.start()
        // Whether or not the Gateway has noticed that its Agent was away.
        yield* eventually("calls are answered", gateway.call("echo", {}), ({ status }) => status === 200, 20_000)
        yield* say(4)
        const names = (yield* tasks).map(({ name }) => name)
        // A Gateway that could not thaw it while the Agent was away has started another beside it.
        assert.include(names, second?.name ?? "", `${agent.stderr()} ${gateway.stderr()}`)
        assert.include(agent.stderr(), "Of 1 workers of an earlier run 1 are taken over")
      })
    )
  })

  it.layer(
    Layer.merge(AgentStack.layer, ContainerdWorkers.machine()),
    live
  )((it) => {
    it.effect("raises a fence on the bridge, and takes it along where it leaves no workers", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const { bridge } = yield* ContainerdWorkers.Machine
        const agent = yield* stack.agent({ ...(yield* ContainerdStack.settings), WORKER_FENCE: "on" })
        assert.isAbove((yield* Reach.rulesAbout(bridge)).length, 0)
        assert.strictEqual(yield* agent.stop, 0)
        assert.deepStrictEqual(yield* Reach.rulesAbout(bridge), [], agent.stderr())
      })
    )
  })
})
