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
    const { maxCapacity, names } = AgentRestarts
    const world = yield* ContainerdStack.make({ base, names, maxCapacity })
    return yield* AgentRestarts.survive(base, { ...world, running: ContainerdStack.running }, how)
  }).pipe(Effect.scoped, Effect.provide(ContainerdWorkers.machine()))

describe(
  "an Agent that ends under load while its containers of containerd run on",
  { ...needs("containerd", "cni"), timeout: 240_000 },
  () => {
    it.layer(
      AgentStack.layer,
      AgentStack.live
    )((it) => {
      it.effect("killed, finds those with our client again, who go on", () =>
        Effect.gen(function* () {
          const { log, survivors } = yield* survive("our node", "kill")
          for (const names of survivors) assert.isAbove(names.length, 0, log)
        })
      )

      it.effect("stopped as planned, cuts no call, and finds those with our client again", () =>
        Effect.gen(function* () {
          const { load, log, survivors } = yield* survive("our node", "stop")
          for (const names of survivors) assert.isAbove(names.length, 0, log)
          assert.notProperty(load.errors(), "Sandbox.Failure", load.lastWords()["Sandbox.Failure"])
        })
      )

      it.effect(
        "killed, replaces those with AWS's client, which ends with its connection",
        () =>
          Effect.gen(function* () {
            const { log, survivors } = yield* survive("node", "kill")
            for (const names of survivors) assert.deepStrictEqual(names, [], log)
          }),
        needs("ric-node")
      )

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
