/** How containers end: noticed by the engine's events, looked up once, and told to their doors when their output is read. */
import { Deferred, Effect } from "effect"
import * as WorkerExit from "#domain/WorkerExit"
import { DockerApi, type EngineFailure, hasStatus } from "./DockerApi.ts"
import type { Container } from "./DockerContainer.ts"
import type { DockerSettings } from "./DockerSettings.ts"

/** The code of a container that was killed, as engines tell it. */
const killed = 137

/** The engine writes when it happened; a container that never ran has the year one there. */
const unixSeconds = (text: string): number => {
  const at = Math.floor(Date.parse(text) / 1_000)
  return at > 0 ? at : Math.floor(Date.now() / 1_000)
}

export const make = Effect.fnUntraced(function* ({ lastOutputMs }: DockerSettings) {
  const { call, engine } = yield* DockerApi

  const record = (container: Container, code: number, outOfMemory: boolean, atUnixSeconds: number) =>
    Effect.gen(function* () {
      yield* Effect.timeoutOption(Deferred.await(container.outputEnded), lastOutputMs)
      if (container.exit !== undefined) return
      const status = WorkerExit.ofCode(code, outOfMemory)
      container.wasOutOfMemory = outOfMemory
      container.exit = { status, code, atUnixSeconds }
      container.door.exited(status)
    })

  /**
   * Looks whether the container has ended, and tells whether it stands frozen. One that the engine does not know any more was
   * removed by a stranger.
   */
  const look = (container: Container): Effect.Effect<boolean, EngineFailure> =>
    Effect.suspend(() => {
      if (container.exit !== undefined || container.isRemoved) return Effect.succeed(false)
      return call((abortSignal) => engine.getContainer(container.name).inspect({ abortSignal })).pipe(
        Effect.flatMap(({ State: { ExitCode, FinishedAt, OOMKilled, Status } }) =>
          Status === "exited" || Status === "dead"
            ? Effect.as(record(container, ExitCode, OOMKilled, unixSeconds(FinishedAt)), false)
            : Effect.succeed(Status === "paused")
        ),
        Effect.catchIf(hasStatus(404), () =>
          // Not one that is only being made, or that we remove ourselves.
          container.engineId === undefined || container.isRemoved
            ? Effect.succeed(false)
            : Effect.as(record(container, killed, false, Math.floor(Date.now() / 1_000)), false)
        )
      )
    })

  /**
   * The kernel has nothing of the container any more. How it ended the engine knows; where that is away, which may have taken
   * its containers along, nobody learns more than that it did.
   */
  const missed = (container: Container): Effect.Effect<void, EngineFailure> =>
    Effect.asVoid(look(container)).pipe(
      Effect.catchIf(
        ({ kind }) => kind !== "refused",
        () => record(container, killed, false, Math.floor(Date.now() / 1_000))
      )
    )

  return { look, missed }
})

export type ContainerEnds = Effect.Success<ReturnType<typeof make>>
