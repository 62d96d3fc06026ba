/** Containers of a stack that nobody here knows: of a start whose end could not be undone, or another one's. */
import { Effect } from "effect"
import { DockerApi, type EngineFailure } from "./DockerApi.ts"

/** How many are removed at a time. */
const parallelRemovals = 16

/** Removes those that have the labels and none of the names, and returns how many. */
export const removeAll = Effect.fnUntraced(function* (
  labels: ReadonlyArray<string>,
  names: ReadonlySet<string>,
  remove: (name: string) => Effect.Effect<void, EngineFailure>
) {
  const { call, engine } = yield* DockerApi
  // One that goes while the engine is asked may still be in its answer.
  const knownBefore = new Set(names)
  const found = yield* call((abortSignal) =>
    engine.listContainers({ all: true, filters: { label: [...labels] }, abortSignal })
  )
  const leftovers = found
    .flatMap(({ Names: [name] }) => (name === undefined ? [] : [name.replace(/^\//, "")]))
    .filter((name) => !knownBefore.has(name) && !names.has(name))
  yield* Effect.forEach(leftovers, remove, { concurrency: parallelRemovals, discard: true })
  return leftovers.length
})
