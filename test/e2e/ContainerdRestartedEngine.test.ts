/** containerd ends, its containers do not, and it is started again: what callers are told meanwhile, and what it has missed. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber } from "effect"
import * as AgentStack from "#test/support/AgentStack"
import { taskOf, tasks } from "#test/support/ContainerdSamples"
import * as ContainerdStack from "#test/support/ContainerdStack"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { answerLimitMs, count, heard, only } from "#test/support/EngineOutage"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as Processes from "#test/support/Processes"

/** From its end to its next start. */
const awayMs = 7_000

/** How long one call lasts in its function, which is longer than containerd is away. */
const longCallMs = 9_000

const names = ["running", "waiting", "fresh", "long", "ending"]

const right = /^200 \{"digest"/
/** Of a call whose container has ended under it. */
const ended = /^200 \{"errorType":"Runtime\.ExitError"/
/** By the API of Lambda an exception of its model, which says whom to look after. */
const named = /^502 \{"Type":"Service","message":"Failed to start container .*containerd does not answer/

/** Asked to stop, or killed: containers have shims of their own either way. */
const ends = {
  stopped: Effect.gen(function* () {
    const { directory, stop } = yield* ContainerdWorkers.Machine
    const daemon = Processes.of(directory).find(({ command }) => /containerd --config/.test(command))
    process.kill(daemon?.pid ?? assert.fail("no containerd"), "SIGTERM")
    yield* eventually(
      "containerd ends",
      Effect.sync(() => Processes.isAlive(daemon?.pid ?? 0)),
      (isThere) => !isThere
    )
    yield* stop
  }),
  killed: Effect.flatMap(ContainerdWorkers.Machine, ({ stop }) => stop)
}

const survive = Effect.fnUntraced(function* (how: keyof typeof ends) {
  const { start } = yield* ContainerdWorkers.Machine
  const { agent, gateway } = yield* ContainerdStack.make({
    base: "our node",
    names,
    entry: { timeout: 30, memory_size: 512 },
    // Every two seconds it collects what is left of starts that were broken off.
    agent: { OWNER_LEASE_SECONDS: "20" },
    gateway: { CIRCUIT_BREAKER_THRESHOLD: "1000" }
  })
  for (const name of ["running", "long", "ending"]) yield* gateway.work(name)
  const before = yield* ContainerdStack.running
  const ending = yield* taskOf({ name: before.find((name) => name.includes("-ending-")) ?? "" })
  const long = yield* Effect.forkChild(Effect.timed(gateway.call("long", { ms: longCallMs })))
  yield* Effect.sleep(200)

  let isOver = false
  const isGone = yield* Deferred.make<void>()
  const outage = yield* ends[how].pipe(
    Effect.andThen(Deferred.succeed(isGone, undefined)),
    Effect.andThen(Effect.sleep(awayMs / 2)),
    Effect.andThen(Effect.sync(() => process.kill(ending.pid, "SIGKILL"))),
    Effect.andThen(Effect.sleep(awayMs / 2)),
    Effect.andThen(Effect.sync(() => void (isOver = true))),
    Effect.forkChild
  )
  // Until then it starts containers.
  yield* Deferred.await(isGone)
  const [running = [], waiting = []] = yield* Effect.forEach(
    [gateway.call("running"), gateway.call("waiting")],
    (ask) => heard(ask, () => isOver),
    { concurrency: "unbounded" }
  )
  yield* Fiber.join(outage)
  only(running, right)
  only(waiting, named)
  const whileAway = yield* Effect.timed(gateway.call("ending"))
  only([`${whileAway[1].status} ${whileAway[1].text}`], named, ended)
  assert.isBelow(Duration.toMillis(whileAway[0]), answerLimitMs)

  yield* start
  const startedAt = performance.now()
  for (const name of ["running", "waiting", "fresh", "ending"]) {
    yield* eventually(`${name} answers`, gateway.call(name), ({ status }) => status === 200, 10_000)
  }
  const wellAfterMs = performance.now() - startedAt
  const [longLasted, longAnswer] = yield* Fiber.join(long)
  assert.match(`${longAnswer.status} ${longAnswer.text}`, right)
  const after = yield* eventually(
    "one container each, which runs",
    tasks,
    (all) => all.length === names.length && all.every(({ state }) => state === "RUNNING"),
    15_000
  )
  yield* Effect.log(
    `containerd ${how}: running ${count(running, right)} right, waiting ${waiting.length} refused; well again after ` +
      `${wellAfterMs.toFixed(0)} ms; the long call took ${Duration.format(longLasted)}`
  )
  assert.isAbove(running.length, 50)
  assert.isAbove(waiting.length, 3)
  const survivors = before.filter((name) => after.some((task) => task.name === name))
  assert.deepStrictEqual(
    survivors,
    before.filter((name) => name !== ending.name),
    agent.stderr()
  )
})

describe(
  "a containerd that ends for some seconds and is started again",
  { ...needs("containerd", "cni"), timeout: 120_000 },
  () => {
    it.layer(
      AgentStack.layer,
      AgentStack.live
    )((it) => {
      for (const how of ["stopped", "killed"] as const) {
        it.effect(
          `${how}, costs no container and no call to one that runs; who needs a start is told, and ends that came meanwhile are seen`,
          () => survive(how).pipe(Effect.scoped, Effect.provide(ContainerdWorkers.machine()))
        )
      }
    })
  }
)
