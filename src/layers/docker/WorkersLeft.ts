/** Whether a stack has workers at the engine, whoever started them. */
import { Effect } from "effect"
import { selectorLabels, type StackIdentity } from "#domain/StackIdentity"
import { DockerApi, type EngineFailure } from "./DockerApi.ts"

export const areThere = (stack: StackIdentity): Effect.Effect<boolean, EngineFailure, DockerApi> =>
  Effect.flatMap(DockerApi, ({ call, engine }) => {
    const label = Object.entries(selectorLabels(stack)).map(([name, value]) => `${name}=${value}`)
    return Effect.map(
      call((abortSignal) => engine.listContainers({ all: true, limit: 1, filters: { label }, abortSignal })),
      (found) => found.length > 0
    )
  })
