/** Two Agents of one stack at one engine, by mistake or because the first is gone: whose the containers are is never in doubt. */
import { spawnSync } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as AgentStack from "#test/support/AgentStack"
import { programAt } from "#test/support/Cli"
import { docker } from "#test/support/DockerImages"
import * as DockerStack from "#test/support/DockerStack"
import { lastingStack } from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import * as FunctionImage from "#test/support/FunctionImage"

const networksOf = (environment: string) => docker("network", "ls", "--quiet", "--filter", `name=esb-${environment}`)

describe("a second Agent of a stack at its engine", { ...needs("docker"), timeout: 60_000 }, () => {
  it.layer(
    AgentStack.layer,
    AgentStack.live
  )((it) => {
    it.effect("does not start while the first lives, and has its containers once that is gone", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const environment = yield* lastingStack("agents")
        const settings = {
          ENV: environment,
          AGENT_RUNTIME: "docker",
          CONTAINERS_NETWORK: `esb-${environment}`,
          IMAGE_PULL_POLICY: "never"
        }
        const first = yield* stack.agent(settings)
        const image = yield* Effect.promise(() => FunctionImage.reference())
        const echo = { image, handler: "index.echo", timeout: 10 }
        const gateway = yield* stack.gateway([first.address], { functions: { echo } })
        assert.strictEqual((yield* gateway.call("echo", 1)).text, "1")
        const before = yield* DockerStack.containersOf(environment)
        assert.strictEqual(before.size, 1)

        const env = { PATH: process.env["PATH"] ?? "", ...stack.agentSettings(), ...settings }
        const { status, stderr } = spawnSync(process.execPath, [programAt("agent")], { env, encoding: "utf8" })
        assert.strictEqual(status, 1)
        assert.include(stderr, `One Agent is enough for a stack (ENV is ${environment})`)
        assert.include(stderr, `ESB_HOME is ${first.home}: stop that one`)
        assert.deepStrictEqual(yield* DockerStack.containersOf(environment), before)
        assert.strictEqual((yield* gateway.call("echo", 2)).text, "2")

        yield* gateway.stop
        yield* first.kill
        const second = yield* stack.agent(settings)
        assert.include(second.stderr(), "Of 1 workers of an earlier run 1 are taken over")
        assert.notStrictEqual(yield* networksOf(environment), "")
      }).pipe(Effect.scoped)
    )

    it.effect("leaves none of the names that the first has taken, when no worker is left", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const environment = yield* lastingStack("agents")
        const settings = { ENV: environment, AGENT_RUNTIME: "docker", CONTAINERS_NETWORK: `esb-${environment}` }
        const volumes = docker("volume", "ls", "--quiet", "--filter", `label=agents_env=${environment}`)
        const first = yield* stack.agent(settings)
        assert.strictEqual(yield* volumes, `agents-${environment}-agent`)
        yield* first.kill
        const second = yield* stack.agent(settings)
        assert.strictEqual(yield* volumes, `agents-${environment}-agent`)
        assert.strictEqual(yield* second.stop, 0)
        assert.deepStrictEqual([yield* networksOf(environment), yield* volumes], ["", ""])
      }).pipe(Effect.scoped)
    )
  })
})
