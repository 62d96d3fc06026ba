/** An Agent ends under load and comes back while its containers run on: who survives, who is replaced, and what callers see of it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as AgentRestarts from "#test/support/AgentRestarts"
import * as AgentStack from "#test/support/AgentStack"
import type { BaseName } from "#test/support/BaseImages"
import * as DockerStack from "#test/support/DockerStack"
import { needs } from "#test/support/Engines"

const survive = Effect.fnUntraced(function* (base: BaseName, how: "kill" | "stop") {
  const { maxCapacity, names } = AgentRestarts
  const { environment, ...world } = yield* DockerStack.make({ base, names, maxCapacity })
  const running = Effect.map(DockerStack.containersOf(environment), (found) =>
    [...found].flatMap(([name, status]) => (status === "running" ? [name] : []))
  )
  return yield* AgentRestarts.survive(base, { ...world, running }, how)
})

describe("an Agent that ends under load while its containers run on", { ...needs("docker"), timeout: 240_000 }, () => {
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
  })
})
