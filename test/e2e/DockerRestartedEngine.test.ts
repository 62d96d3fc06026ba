/** A Docker Engine ends, takes its containers with it or not, and is started again: what callers are told, and that nothing else has to be. */
import { assert, describe, it } from "@effect/vitest"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Duration, Effect, Fiber } from "effect"
import * as AgentStack from "#test/support/AgentStack"
import * as BaseImages from "#test/support/BaseImages"
import { freshStack } from "#test/support/DockerWorkers"
import { answerLimitMs, count, heard, only } from "#test/support/EngineOutage"
import { eventually } from "#test/support/Eventually"
import * as HttpCaller from "#test/support/HttpCaller"
import * as OwnEngine from "#test/support/OwnEngine"

/** From its end to its next start. */
const awayMs = 10_000

/** What an engine gives containers that do not stop by themselves, before it kills them. */
const stopsWithinMs = 10_000

/** How long one call lasts in its function. */
const longCallMs = 25_000

const task = fileURLToPath(new URL("../samples/agents/functions", import.meta.url))
const names = ["running", "waiting", "fresh", "long"]

const world = Effect.fnUntraced(function* (...flags: ReadonlyArray<string>) {
  const stack = yield* AgentStack.Shared
  const engine = yield* OwnEngine.make(...flags)
  const image = yield* Effect.promise(() => BaseImages.image("our node", { task, handler: "calls.work" }))
  yield* engine.load(image)
  const environment = freshStack()
  const network = `esb-${environment}`
  yield* engine.network(network)
  const agent = yield* stack.agent({
    ENV: environment,
    AGENT_RUNTIME: "docker",
    DOCKER_HOST: engine.host,
    CONTAINERS_NETWORK: network,
    IMAGE_PULL_POLICY: "never",
    // Every two seconds it collects what is left of starts that were broken off.
    OWNER_LEASE_SECONDS: "20"
  })
  const entry = { image, handler: "calls.work", timeout: 60, memory_size: 512 }
  const gateway = yield* stack.gateway([agent.address], {
    functions: Object.fromEntries(names.map((name) => [name, entry])),
    settings: { ROUTE_AUTH: "template", CIRCUIT_BREAKER_THRESHOLD: "3" }
  })
  writeFileSync(
    join(stack.directory, gateway.owner, "config/routing.yml"),
    // JSON is YAML.
    JSON.stringify({ routes: names.map((name) => ({ path: `/${name}`, method: "GET", function: name })) })
  )
  const route = (name: string) => HttpCaller.ask(gateway.url, { target: `/${name}` })
  yield* eventually("the routes are known", route("running"), ({ status }) => status !== 404)
  const containers = Effect.map(
    engine.docker("ps", "--all", "--filter", `label=agents_env=${environment}`, "--format", "{{.Names}} {{.State}}"),
    (listed) => listed.split("\n").filter((line) => line !== "")
  )
  return { agent, containers, engine, gateway, route }
})

const right = /^200 \{"digest"/
/** By the API of Lambda as an exception of its model, on a route as what it is; both say whom to look after. */
const named = /^502 \{"Type":"Service","message":"Failed to start container .*the Docker Engine does not answer/
/** Of a call whose container has ended under it. */
const ended = /^200 \{"errorType":"Runtime\.ExitError"/
const namedOnRoute = /^503 \{"message":"Failed to start container .*the Docker Engine does not answer/

/** Ends the engine for a while, and tells what becomes of calls and containers. */
const survive = Effect.fnUntraced(function* (how: "stop" | "kill", ...flags: ReadonlyArray<string>) {
  const { agent, containers, engine, gateway, route } = yield* world(...flags)
  yield* gateway.work("running")
  yield* gateway.work("long")
  const before = yield* containers
  const long = yield* Effect.forkChild(Effect.timed(gateway.call("long", { ms: longCallMs })))
  yield* Effect.sleep(200)

  let isOver = false
  const ending = yield* engine[how].pipe(
    Effect.andThen(Effect.sleep(awayMs)),
    Effect.andThen(Effect.sync(() => void (isOver = true))),
    Effect.forkChild
  )
  // Until then it starts containers.
  yield* eventually("the engine takes no request", engine.listens, (listens) => !listens)
  const [running = [], waiting = [], routed = []] = yield* Effect.forEach(
    [gateway.call("running"), gateway.call("waiting"), route("waiting")],
    (ask) => heard(ask, () => isOver),
    { concurrency: "unbounded" }
  )
  yield* Fiber.join(ending)
  only(running, right, named, ended)
  assert.isAtMost(count(running, ended), 1)
  only(waiting, named)
  only(routed, namedOnRoute)

  yield* engine.start
  const startedAt = performance.now()
  for (const name of ["running", "waiting", "fresh"]) {
    yield* eventually(`${name} answers`, gateway.call(name), ({ status }) => status === 200, 10_000)
  }
  const wellAfterMs = performance.now() - startedAt
  const [longLasted, longAnswer] = yield* Fiber.join(long)
  yield* gateway.work("long")
  const after = yield* eventually(
    "one container each, which runs",
    containers,
    (listed) => listed.length === names.length && listed.every((line) => line.endsWith(" running")),
    10_000
  )
  yield* Effect.log(
    `${how} ${flags.join(" ")}: running ${count(running, right)} right and ${count(running, named)} refused, waiting ` +
      `${waiting.length} and ${routed.length} refused; well again after ${wellAfterMs.toFixed(0)} ms; the long call after ` +
      `${Duration.format(longLasted)}: ${longAnswer.status} ${longAnswer.text.slice(0, 200)}`
  )
  assert.isAbove(waiting.length, 3)
  const survivors = before.filter((line) => after.includes(line))
  return { survivors, running, long: { ...longAnswer, lastedMs: Duration.toMillis(longLasted) }, log: agent.stderr() }
})

describe(
  "a Docker Engine that ends for ten seconds and is started again",
  { ...OwnEngine.needed(), timeout: 120_000 },
  () => {
    it.layer(
      AgentStack.layer,
      AgentStack.live
    )((it) => {
      it.effect(
        "stopped, takes its containers along: their calls are told so, the next that nobody can start any",
        () =>
          Effect.gen(function* () {
            const { long, log, running, survivors } = yield* survive("stop")
            assert.match(`${long.status} ${long.text}`, ended)
            assert.isBelow(long.lastedMs, stopsWithinMs + answerLimitMs)
            assert.deepStrictEqual(survivors, [], log)
            assert.isAbove(count(running, right), 0)
            assert.isAbove(count(running, named), 0)
          }).pipe(Effect.scoped)
      )

      it.effect("killed, leaves containers that go on, until it ends them itself when it is back", () =>
        Effect.gen(function* () {
          const { log, running, survivors } = yield* survive("kill")
          assert.deepStrictEqual(survivors, [], log)
          assert.strictEqual(count(running, named), 0)
        }).pipe(Effect.scoped)
      )

      it.effect("that keeps its containers meanwhile, costs none of them, and no call", () =>
        Effect.gen(function* () {
          const { log, long, running, survivors } = yield* survive("stop", "--live-restore")
          assert.strictEqual(survivors.length, 2, log)
          assert.strictEqual(count(running, named), 0)
          assert.strictEqual(long.status, 200, long.text)
        }).pipe(Effect.scoped)
      )
    })
  }
)
