/** The Docker Engine is away for ten seconds: what callers are told meanwhile, and that nothing has to be started again afterwards. */
import { assert, describe, it } from "@effect/vitest"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import * as AgentStack from "#test/support/AgentStack"
import * as DockerStack from "#test/support/DockerStack"
import { needs } from "#test/support/Engines"
import * as EngineWire from "#test/support/EngineWire"
import { eventually } from "#test/support/Eventually"
import * as HttpCaller from "#test/support/HttpCaller"

const awayMs = 10_000

const names = ["running", "waiting", "fresh"]

describe("a Docker Engine that is away for ten seconds", { ...needs("docker"), timeout: 90_000 }, () => {
  it.layer(
    AgentStack.layer,
    AgentStack.live
  )((it) => {
    it.effect(
      "costs no call of a running worker, is named to those who need a start, and is used again by itself",
      () =>
        Effect.gen(function* () {
          const stack = yield* AgentStack.Shared
          const wire = yield* EngineWire.make
          const { agent, environment, gateway } = yield* DockerStack.make({
            base: "our node",
            names,
            agent: { DOCKER_HOST: `unix://${wire.socketPath}` },
            gateway: { ROUTE_AUTH: "template", CIRCUIT_BREAKER_THRESHOLD: "3" }
          })
          const routing = join(stack.directory, gateway.owner, "config/routing.yml")
          // JSON is YAML.
          writeFileSync(
            routing,
            JSON.stringify({ routes: names.map((name) => ({ path: `/${name}`, method: "GET", function: name })) })
          )
          const route = (name: string) => HttpCaller.ask(gateway.url, { target: `/${name}` })
          yield* eventually("the routes are known", route("running"), ({ status }) => status !== 404)
          const { calls, pid } = yield* gateway.work("running")

          yield* wire.cut
          const until = performance.now() + awayMs
          let [right, refused] = [0, 0]
          while (performance.now() < until) {
            const worked = yield* gateway.work("running")
            right += 1
            assert.deepStrictEqual([worked.pid, worked.calls], [pid, calls + right])

            // By the API of Lambda with the exception of its model …
            const called = yield* gateway.call("waiting")
            assert.strictEqual(called.status, 502, called.text)
            assert.strictEqual(called.header("x-amzn-errortype"), "EC2UnexpectedException")
            assert.include(called.text, "the Docker Engine does not answer")
            // … and on a route as what it is.
            const asked = yield* route("waiting")
            assert.strictEqual(asked.status, 503, asked.text)
            refused += 1
          }
          assert.isAbove(right, 3)
          assert.isAbove(refused, 3)
          assert.strictEqual((yield* DockerStack.containersOf(environment)).size, 1)

          yield* wire.mend
          const startedAt = performance.now()
          for (const name of ["waiting", "fresh"]) {
            // The breaker has not counted what was nobody's fault.
            yield* eventually(`${name} answers`, gateway.call(name), ({ status }) => status === 200, 10_000)
          }
          assert.strictEqual((yield* gateway.work("running")).pid, pid)
          yield* Effect.log(
            `${right} calls right and ${refused} starts refused; well again after ${(performance.now() - startedAt).toFixed(0)} ms`
          )
          assert.strictEqual((yield* DockerStack.containersOf(environment)).size, 3, agent.stderr())
        })
    )
  })
})
