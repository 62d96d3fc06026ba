/** Strangers lay hands on the containers of whichever engine, while their functions are called. */
import { assert } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type * as AgentStack from "./AgentStack.ts"
import { eventually } from "./Eventually.ts"
import type { Answer } from "./HttpCaller.ts"

export const isGood = (answer: Answer): boolean =>
  answer.status === 200 && answer.header("x-amz-function-error") === undefined

/** What may become of a call whose worker was taken away: it says so, or that the worker fell silent. */
const truths = [
  /^502 \{"Type":"Service","message":"Failed to start container/,
  /^200 .*"Runtime\.ExitError"/,
  /^200 .*"Sandbox\.Timedout"/
]

const turns = 16
const restMs = 250

export interface World<E, R> {
  readonly agent: AgentStack.Agent
  readonly gateway: AgentStack.Gateway
  /** Functions that answer their event. */
  readonly names: ReadonlyArray<string>
  /** Names of the containers that there are. */
  readonly present: Effect.Effect<ReadonlyArray<string>, E, R>
  /** Does something to a container, another thing each turn. */
  readonly lay: (turn: number, name: string) => Effect.Effect<void, E, R>
}

/** Every call gets an answer, and a true one; in the end all functions answer again. */
export const withstand = Effect.fnUntraced(function* <E, R>({ agent, gateway, lay, names, present }: World<E, R>) {
  const seen = { isEnough: false, goodAnswers: 0 }
  const callsOf = Effect.fnUntraced(function* (name: string) {
    for (let n = 0; !seen.isEnough; n++) {
      const answer = yield* gateway.call(name, { name, n })
      if (isGood(answer)) {
        assert.deepStrictEqual(answer.json(), { name, n })
        seen.goodAnswers += 1
      } else {
        const told = `${answer.status} ${answer.text}`
        assert.isTrue(
          truths.some((truth) => truth.test(told)),
          `${told}\n${agent.stderr()}`
        )
      }
      yield* Effect.sleep(20)
    }
  })
  const callers = yield* Effect.forkChild(Effect.forEach(names, callsOf, { concurrency: "unbounded", discard: true }))
  for (let turn = 0; turn < turns; turn++) {
    const found = yield* eventually("containers", present, ({ length }) => length > 0)
    yield* lay(turn, found[(turn * 5) % found.length] ?? "")
    yield* Effect.sleep(restMs)
  }
  seen.isEnough = true
  yield* Fiber.join(callers)
  assert.isAbove(seen.goodAnswers, names.length)
  for (const name of names) {
    yield* eventually(`${name} answers again`, gateway.call(name, { name }), isGood, 20_000)
  }
})
