/** The workers of a stack whose Agent is gone for good. */
import { Effect } from "effect"
import type { StackIdentity } from "#domain/StackIdentity"
import { DockerApi, hasStatus } from "./DockerApi.ts"
import { volumeName } from "./SoleAgent.ts"
import * as StackContainers from "./StackContainers.ts"

/** How many are removed at a time. */
const parallelRemovals = 16

/** Removes all of them, whoever owned them, and the record of who the Agent was. Answers how many there were. */
export const remove = Effect.fnUntraced(function* (identity: StackIdentity) {
  const { call, engine } = yield* DockerApi
  yield* Effect.catchIf(
    call(() => engine.getVolume(volumeName(identity)).remove()),
    hasStatus(404),
    () => Effect.void
  )
  const names = yield* StackContainers.names(identity)
  const removeOne = (name: string) =>
    call(() => engine.getContainer(name).remove({ force: true, v: true })).pipe(
      Effect.asVoid,
      // Gone, or going by somebody else's hand.
      Effect.catchIf(hasStatus(404), () => Effect.void),
      Effect.catchIf(hasStatus(409), () => Effect.void)
    )
  yield* Effect.forEach(names, removeOne, { concurrency: parallelRemovals, discard: true })
  return names.length
})
