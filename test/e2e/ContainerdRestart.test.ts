/** An Agent ends under load and comes back while its containers of containerd run on: who survives, who is replaced, and what callers see. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as AgentRestarts from "#test/support/AgentRestarts"
import * as AgentStack from "#test/support/AgentStack"
import type { BaseName } from "#test/support/BaseImages"
import * as ContainerdStack from "#test/support/ContainerdStack"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"

const survive = (base: BaseName, how: "kill" | "stop") =>
  Effect.gen(function* () {
    const { gateway, maxCapacity, names } = AgentRestarts
    const world = yield* ContainerdStack.make({ base, names, maxCapacity, gateway })
    return yield* AgentRestarts.survive(base, { ...world, running: ContainerdStack.running }, how)
  }).pipe(Effect.scoped, Effect.provide(ContainerdWorkers.machine()))

AgentRestarts.suite("containers of containerd", ["containerd", "cni"], survive)

describe(
  "an Agent that comes back to its containers of containerd",
  { ...needs("containerd", "cni"), timeout: 240_000 },
  () => {
    it.layer(
      AgentStack.layer,
      AgentStack.live
    )((it) => {
      it.effect("has what they wrote while there was none", () =>
        Effect.gen(function* () {
          const { agent, gateway } = yield* ContainerdStack.make({ base: "our node", names: ["work"] })
          yield* gateway.work("work", { id: "before" })
          const [name = ""] = yield* ContainerdStack.running
          yield* agent.kill
          const lines = Array.from({ length: 20 }, (_, n) => `written while nobody was there, line ${n}`)
          const { inside } = ContainerdWorkers
          for (const line of lines) yield* inside({ name }, `echo ${line} > /proc/1/fd/1`)
          yield* agent.start()
          yield* eventually(
            "it is called again",
            gateway.call("work", { id: "after" }),
            ({ status }) => status === 200,
            20_000
          )
          assert.deepStrictEqual(yield* ContainerdStack.running, [name])
          const log = Effect.map(gateway.page("/_esb/logs?limit=10000"), ({ text }) => text)
          yield* eventually(
            "its lines are in the log",
            log,
            (text) => lines.every((line) => text.includes(line)),
            10_000
          )
        }).pipe(Effect.scoped, Effect.provide(ContainerdWorkers.machine()))
      )
    })
  }
)
