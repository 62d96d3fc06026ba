/** Containers of a stack that nobody here knows: of a start whose end could not be undone, or another one's. */
import { Effect } from "effect"
import { ContainerEngine } from "#services/ContainerEngine"

/**
 * Removes those that have none of the names, as many at a time as the engine lets, and returns how many. One that resists is told
 * of when all others are gone.
 */
export const removeAll = Effect.fnUntraced(function* (names: ReadonlySet<string>) {
  const { list } = yield* ContainerEngine
  // One that goes while the engine is asked may still be in its answer.
  const knownBefore = new Set(names)
  const found = yield* list
  const leftovers = found.filter(({ name }) => !knownBefore.has(name) && !names.has(name))
  const [, [failure]] = yield* Effect.partition(leftovers, ({ remove }) => remove, { concurrency: "unbounded" })
  if (failure !== undefined) return yield* Effect.fail(failure)
  return leftovers.length
})
