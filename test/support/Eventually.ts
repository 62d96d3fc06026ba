/** Waits for what must come true, no longer than it may take. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"

const pollEveryMs = 10

/** The first value that satisfies `holds`. Fails with the last one seen when none does in time. */
export const eventually = Effect.fnUntraced(function* <A, E, R>(
  what: string,
  look: Effect.Effect<A, E, R>,
  holds: (seen: A) => boolean,
  withinMs = 5_000
) {
  const deadline = performance.now() + withinMs
  let seen = yield* look
  while (!holds(seen)) {
    if (performance.now() > deadline) {
      return assert.fail(`${what}: not within ${withinMs} ms; last seen ${JSON.stringify(seen)}`)
    }
    yield* Effect.sleep(pollEveryMs)
    seen = yield* look
  }
  return seen
})

/** What is seen when it has stayed as it was for so long. Fails with the last values seen when it moves on and on. */
export const atRest = Effect.fnUntraced(function* <A, E, R>(what: string, look: Effect.Effect<A, E, R>, forMs: number) {
  let before = yield* look
  const again = Effect.map(Effect.delay(look, forMs), (after) => {
    const isSame = JSON.stringify(before) === JSON.stringify(after)
    before = after
    return { isSame, after }
  })
  return (yield* eventually(`${what} stands still`, again, ({ isSame }) => isSame, 15_000)).after
})
