/** What the health check of a container asks an Agent, from its start to its end. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { existsSync } from "node:fs"
import * as AgentStack from "#test/support/AgentStack"
import * as Cli from "#test/support/Cli"
import { eventually } from "#test/support/Eventually"
import * as FreePort from "#test/support/FreePort"

/** Longer than it takes to ask a few times. */
const callMs = 3_000

describe("an Agent's health, beside its metrics", () => {
  it.layer(
    AgentStack.layer,
    AgentStack.live
  )((it) => {
    it.effect("is good while it takes calls, and bad while it drains", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const port = yield* FreePort.find
        const agent = yield* stack.agent({ AGENT_METRICS_PORT: String(port) })
        const gateway = yield* stack.gateway([agent.address])
        const health = Cli.runProgram("health", [`http://127.0.0.1:${port}/health`])
        assert.strictEqual((yield* health).code, 0)

        const file = stack.fresh("begun")
        const call = yield* Effect.forkChild(gateway.work("work", { id: 1, ms: callMs, file }))
        yield* eventually(
          "the call has begun",
          Effect.sync(() => existsSync(file)),
          (isThere) => isThere
        )
        const stopped = yield* Effect.forkChild(agent.stop)
        const { stderr } = yield* eventually("the health is bad", health, ({ code }) => code === 1)
        assert.include(stderr, "answers 503")
        assert.strictEqual((yield* Fiber.join(call)).id, 1)
        assert.strictEqual(yield* Fiber.join(stopped), 0)
      })
    )
  })
})
