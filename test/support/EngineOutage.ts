/** What callers hear while an engine, whichever it is, is away for a while. */
import { assert } from "@effect/vitest"
import { Duration, Effect } from "effect"
import type * as HttpCaller from "./HttpCaller.ts"

/** No caller waits for an engine that is not there. */
export const answerLimitMs = 4_000

/** What callers of one function hear until something is so. */
export const heard = Effect.fnUntraced(function* <E>(ask: Effect.Effect<HttpCaller.Answer, E>, isOver: () => boolean) {
  const told: Array<string> = []
  while (!isOver()) {
    const [lasted, { status, text }] = yield* Effect.timed(ask)
    assert.isBelow(Duration.toMillis(lasted), answerLimitMs, text)
    told.push(`${status} ${text}`)
    yield* Effect.sleep(20)
  }
  return told
})

export const count = (told: ReadonlyArray<string>, truth: RegExp): number =>
  told.filter((each) => truth.test(each)).length

export const only = (told: ReadonlyArray<string>, ...truths: ReadonlyArray<RegExp>): void =>
  assert.deepStrictEqual(
    told.filter((each) => !truths.some((truth) => truth.test(each))),
    []
  )
