/** Containers of a stack that nobody here knows: of a start whose end could not be undone, or another one's. */
import { Effect } from "effect"
import type { StackIdentity } from "#domain/StackIdentity"
import * as ContainerRecord from "./ContainerRecord.ts"
import type { ContainerStarts } from "./ContainerStart.ts"
import * as StackContainers from "./StackContainers.ts"

/**
 * Removes those that have none of the names, as many at a time as `remove` lets, and returns how many. One that resists is told of
 * when all others are gone.
 */
export const removeAll = Effect.fnUntraced(function* (
  identity: StackIdentity,
  names: ReadonlySet<string>,
  remove: ContainerStarts["remove"]
) {
  // One that goes while containerd is asked may still be in its answer.
  const knownBefore = new Set(names)
  const found = yield* StackContainers.list(identity)
  const leftovers = found.filter(({ id }) => !knownBefore.has(id) && !names.has(id))
  const [, [failure]] = yield* Effect.partition(
    leftovers,
    (container) => remove(container.id, ContainerRecord.networkOf(identity, container)),
    { concurrency: "unbounded" }
  )
  if (failure !== undefined) return yield* failure
  return leftovers.length
})
