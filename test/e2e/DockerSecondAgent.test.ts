/** Two Agents of one stack at one engine, by mistake or because the first is gone: whose the containers are is never in doubt. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as AgentStack from "#test/support/AgentStack"
import { docker } from "#test/support/DockerImages"
import * as DockerStack from "#test/support/DockerStack"
import { lastingStack } from "#test/support/DockerWorkers"
import { needs } from "#test/support/Engines"
import * as FunctionImage from "#test/support/FunctionImage"
import * as SecondAgent from "#test/support/SecondAgent"

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
        const settings = DockerStack.settings(environment)
        const first = yield* stack.agent(settings)
        const image = yield* Effect.promise(() => FunctionImage.reference())
        const echo = { image, handler: "index.echo", timeout: 10 }
        const gateway = yield* stack.gateway([first.address], { functions: { echo } })
        yield* SecondAgent.inherit({
          environment,
          settings,
          first,
          gateway,
          call: Effect.map(gateway.call("echo", 1), ({ text }) => assert.strictEqual(text, "1")),
          containers: Effect.map(DockerStack.containersOf(environment), (found) => [...found].map(String))
        })
        assert.notStrictEqual(yield* networksOf(environment), "")
      }).pipe(Effect.scoped)
    )

    it.effect("leaves none of the names that the first has taken, when no worker is left", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const environment = yield* lastingStack("agents")
        const settings = DockerStack.settings(environment)
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
