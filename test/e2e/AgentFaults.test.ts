/** What callers see of an Agent that stands still, is slow, or cannot be reached, and what is left when that is over. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { existsSync } from "node:fs"
import * as AgentStack from "#test/support/AgentStack"
import type { Worked } from "#test/support/BareGateway"
import { eventually } from "#test/support/Eventually"
import * as Faults from "#test/support/Faults"
import * as HonestError from "#test/support/HonestError"
import * as Processes from "#test/support/Processes"
import * as WiredAgent from "#test/support/WiredAgent"

/** What falls out of a pool is looked for often, and taken for nobody's at once. */
const settings = { HEARTBEAT_INTERVAL: "0.5", ORPHAN_GRACE_PERIOD_SECONDS: "0" }

const exists = (what: string, file: string) =>
  eventually(
    what,
    Effect.sync(() => existsSync(file)),
    (isThere) => isThere
  )

/** How a call was told to have ended, and after how many milliseconds. */
const outcome = Effect.fnUntraced(function* (gateway: AgentStack.Gateway, event: unknown) {
  const fromMs = performance.now()
  const answer = yield* gateway.call("work", event)
  return { error: HonestError.nameOf(answer), tookMs: performance.now() - fromMs, answer }
})

const answersAgain = (gateway: AgentStack.Gateway, withinMs: number) =>
  eventually(
    "calls are answered again",
    Effect.map(gateway.call("work"), HonestError.nameOf),
    (error) => error === undefined,
    withinMs
  )

/** The workers of before wait for calls again, and whoever else runs does so, too. */
const areBack = (gateway: AgentStack.Gateway, { home }: AgentStack.Agent, workers: ReadonlyArray<number>) =>
  eventually(
    "the same workers are in the pool",
    Effect.map(gateway.pool("work"), ({ busy, idle }) => ({ busy, idle, running: AgentStack.workersIn(home) })),
    ({ busy, idle, running }) => busy === 0 && idle === running.length && workers.every((pid) => running.includes(pid))
  )

describe("An Agent", Processes.needsProc, () => {
  it.layer(AgentStack.layer, AgentStack.live)("to which the network", (it) => {
    it.effect("is cut costs the calls that are on their way, but no worker", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const wired = yield* WiredAgent.make(stack)
        const gateway = yield* stack.gateway([wired.address], { settings })
        const [begun, done] = [stack.fresh("begun"), stack.fresh("done")]
        const inFlight = yield* Effect.forkChild(outcome(gateway, { file: begun, done, ms: 2_500 }))
        yield* exists("the call runs", begun)
        yield* gateway.work("work")
        const workers = AgentStack.workersIn(wired.agent.home)
        assert.strictEqual(workers.length, 2)

        wired.cut()
        const cutAtMs = performance.now()
        assert.strictEqual((yield* Fiber.join(inFlight)).error, "Sandbox.Failure")
        assert.isBelow(performance.now() - cutAtMs, 1_000)
        for (let call = 0; call < 6; call++) {
          const { error, tookMs } = yield* outcome(gateway, {})
          assert.strictEqual(error, "EC2UnexpectedException")
          assert.isBelow(tookMs, 1_000)
        }

        wired.heal()
        yield* answersAgain(gateway, 3_000)
        assert.isFalse(existsSync(done))
        yield* exists("the call whose caller is gone runs to its end", done)
        yield* areBack(gateway, wired.agent, workers)
      })
    )

    it.effect("stands still for a while makes calls take longer, and nothing else", () =>
      Effect.gen(function* () {
        const stack = yield* AgentStack.Shared
        const wired = yield* WiredAgent.make(stack)
        const gateway = yield* stack.gateway([wired.address], { settings })
        const { pid } = yield* gateway.work("work")
        const file = stack.fresh("begun")
        const inFlight = yield* Effect.forkChild(outcome(gateway, { id: "slow", file, ms: 300 }))
        yield* exists("the call runs", file)
        wired.stall()
        yield* Effect.sleep("1500 millis")
        wired.heal()
        const { answer, error, tookMs } = yield* Fiber.join(inFlight)
        assert.isUndefined(error)
        assert.deepInclude(answer.json() as Worked, { id: "slow", pid })
        assert.isAbove(tookMs, 1_400)
        assert.deepInclude(yield* gateway.work("work"), { pid, calls: 3 })
      })
    )
  })

  it.layer(AgentStack.layer, AgentStack.live)("that stands still", (it) => {
    it.effect(
      "costs the calls that it holds, each of which is told so in time, and no worker",
      () =>
        Effect.gen(function* () {
          const stack = yield* AgentStack.Shared
          const agent = yield* stack.agent()
          // Longer than it stands still: a call that is too late then is ended.
          const functions = { work: { timeout: 60 } }
          const gateway = yield* stack.gateway([agent.address], { settings, functions })
          const file = stack.fresh("begun")
          const during = yield* Effect.forkChild(outcome(gateway, { file, ms: 1_000 }))
          yield* exists("the call runs", file)
          yield* gateway.work("work")
          const workers = AgentStack.workersIn(agent.home)

          yield* Effect.scoped(
            Effect.gen(function* () {
              yield* Faults.freeze(agent.pid())
              const between = yield* Effect.forkChild(outcome(gateway, {}))
              const starting = yield* Effect.forkChild(outcome(gateway, {}))
              const held = yield* Effect.all([Fiber.join(during), Fiber.join(between), Fiber.join(starting)])
              assert.deepStrictEqual(
                held.map(({ error }) => error),
                ["Sandbox.Failure", "Sandbox.Failure", "EC2UnexpectedException"]
              )
              for (const { tookMs } of held) assert.isBelow(tookMs, 20_000)
              const later = yield* outcome(gateway, {})
              assert.strictEqual(later.error, "EC2UnexpectedException")
              assert.isBelow(later.tookMs, 4_000)
            })
          )
          yield* answersAgain(gateway, 5_000)
          yield* areBack(gateway, agent, workers)
        }),
      60_000
    )
  })
})
