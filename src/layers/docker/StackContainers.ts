/** The containers of a stack at the engine, running or not, whoever started them. */
import { Effect } from "effect"
import { selectorLabels, type StackIdentity } from "#domain/StackIdentity"
import { DockerApi, type EngineFailure } from "./DockerApi.ts"

/** `name=value` of the labels that all of them have. */
export const labels = (stack: StackIdentity): ReadonlyArray<string> =>
  Object.entries(selectorLabels(stack)).map(([name, value]) => `${name}=${value}`)

export const names = (stack: StackIdentity): Effect.Effect<ReadonlyArray<string>, EngineFailure, DockerApi> =>
  Effect.flatMap(DockerApi, ({ call, engine }) =>
    Effect.map(
      call((abortSignal) => engine.listContainers({ all: true, filters: { label: [...labels(stack)] }, abortSignal })),
      (found) => found.flatMap(({ Names: [name] }) => (name === undefined ? [] : [name.replace(/^\//, "")]))
    )
  )
