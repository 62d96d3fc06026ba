/** Containers that an Agent makes before they are asked for: no caller notices, and neither does who comes after a crash. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as AgentStack from "#test/support/AgentStack"
import { tasks } from "#test/support/ContainerdSamples"
import * as ContainerdStack from "#test/support/ContainerdStack"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"

const live = { ...AgentStack.live, timeout: "60 seconds" } as const

const namesOf = (tasks: ReadonlyArray<{ readonly name: string }>) => tasks.map(({ name }) => name).toSorted()

describe("workers made ahead by an Agent with containerd", needs("containerd", "cni"), () => {
  it.layer(
    Layer.merge(AgentStack.layer, ContainerdWorkers.machine()),
    live
  )((it) => {
    it.effect("serve the next start, and go with an Agent that is killed, which finds its workers again", () =>
      Effect.gen(function* () {
        const { ctr } = yield* ContainerdWorkers.Machine
        const { agent, gateway, say } = yield* ContainerdStack.echoing({ agent: { PREPARED_WORKERS: "1" } })
        const created = Effect.map(tasks, (all) => all.filter(({ state }) => state === "CREATED"))
        const running = Effect.map(tasks, (all) => all.filter(({ state }) => state === "RUNNING"))

        yield* say(1)
        const [ahead] = yield* eventually("one is made ahead", created, ({ length }) => length === 1)
        const [first] = yield* running
        yield* ctr("tasks", "kill", "--signal", "SIGKILL", first?.name ?? "")
        yield* eventually("it is missed", running, ({ length }) => length === 0)
        yield* say(2)
        const [second] = yield* running
        assert.strictEqual(second?.name, ahead?.name)

        yield* eventually("another is made ahead", created, ([task]) => task !== undefined && task.name !== ahead?.name)
        yield* agent.kill
        assert.strictEqual((yield* tasks).length, 2)
        yield* agent.start()
        yield* eventually("calls are answered", gateway.call("echo", {}), ({ status }) => status === 200, 20_000)
        assert.deepStrictEqual(namesOf(yield* tasks), [second?.name], agent.stderr())
      })
    )
  })
})
