/** Containers that are frozen and thawed. */
import { Effect } from "effect"
import type { ContainerEnds } from "./ContainerEnds.ts"
import { DockerApi, type EngineFailure } from "./DockerApi.ts"
import type { Container } from "./DockerContainer.ts"

/** Engines differ in how they say it: some take it for an error of their own. */
const isNoChange = ({ message, status }: EngineFailure): boolean =>
  status === 404 || status === 409 || / is (?:not|already) paused/.test(message)

export const make = Effect.fnUntraced(function* (ends: ContainerEnds) {
  const { call, engine } = yield* DockerApi

  const ask = (container: Container, isPaused: boolean): Effect.Effect<void, EngineFailure> => {
    const named = engine.getContainer(container.name)
    return call((abortSignal) => (isPaused ? named.pause({ abortSignal }) : named.unpause({ abortSignal }))).pipe(
      Effect.asVoid,
      // It has ended, or is so already: whichever it is, a look tells.
      Effect.catchIf(isNoChange, () => Effect.asVoid(ends.look(container))),
      // An engine that hangs keeps nobody; how the container is then, its events tell.
      Effect.interruptible
    )
  }

  return {
    freeze: (container: Container) => ask(container, true),
    thaw: (container: Container) => ask(container, false)
  }
})
