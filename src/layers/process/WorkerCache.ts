/** What interpreters compiled of an artifact's code, kept for the next worker of the same code. */
import { Effect, Result } from "effect"
import { readdir, rm } from "node:fs/promises"
import { join } from "node:path"
import type { ArtifactStore } from "#services/ArtifactStore"

const digestPrefix = "artifact:sha256:"

const parent = (stateDirectory: string): string => join(stateDirectory, "cache")

/** The directory of one artifact; made by whoever writes there first. */
export const of = (stateDirectory: string, image: string): string =>
  join(parent(stateDirectory), image.slice(digestPrefix.length))

/** Forgets what belongs to artifacts that are no more. A cache that cannot be removed now is tried again another time. */
export const removeStale = Effect.fnUntraced(function* (stateDirectory: string, artifacts: ArtifactStore["Service"]) {
  const digests = yield* Effect.promise(() => readdir(parent(stateDirectory)).catch(() => []))
  for (const digest of digests) {
    if (Result.isSuccess(yield* Effect.result(artifacts.find(`${digestPrefix}${digest}`)))) continue
    yield* Effect.promise(() =>
      rm(join(parent(stateDirectory), digest), { recursive: true, force: true }).catch(() => undefined)
    )
  }
})
