/** The services of a project of Compose, as the engine sees their containers, whichever Compose made them. */
import { Effect, Option, Schema } from "effect"
import { stripVTControlCharacters } from "node:util"
import { ServiceState, type StackService } from "#domain/StackService"
import { DockerApi, type EngineFailure, hasStatus } from "./DockerApi.ts"

/** How many containers are looked at, at a time. */
const parallelLooks = 8
/** Of a log, for the reader of a failure. */
const keptLines = 10
const keptLineCharacters = 500

const serviceLabel = "com.docker.compose.service"
const decodeState = Schema.decodeUnknownOption(ServiceState)
const decodeHealth = Schema.decodeUnknownOption(Schema.Literals(["starting", "healthy", "unhealthy"]))

/** The words inside of what an engine tells of a log: each piece after eight bytes, the last four of which are its length. */
const demultiplexed = (log: Buffer): string => {
  const pieces: Array<Buffer> = []
  for (let at = 0; at + 8 <= log.length;) {
    const end = at + 8 + log.readUInt32BE(at + 4)
    pieces.push(log.subarray(at + 8, end))
    at = end
  }
  return Buffer.concat(pieces).toString("utf8")
}

export const make = Effect.fnUntraced(function* (project: string) {
  const { call, engine } = yield* DockerApi

  const look = (id: string, name: string): Effect.Effect<Option.Option<StackService>, EngineFailure> =>
    call((abortSignal) => engine.getContainer(id).inspect({ abortSignal })).pipe(
      Effect.map(({ Config, Name, RestartCount, State }) => {
        const hasEnded = State.Status === "exited" || State.Status === "dead"
        const state = Option.getOrElse(decodeState(State.Status), () => "dead" as const)
        return Option.some<StackService>({
          name,
          container: Name.replace(/^\//, ""),
          image: Config.Image,
          state,
          health: Option.getOrElse(decodeHealth(State.Health?.Status), () => "none" as const),
          exitCode: hasEnded ? State.ExitCode : undefined,
          endedAtUnixMs: hasEnded ? Date.parse(State.FinishedAt) : undefined,
          restarts: RestartCount
        })
      }),
      // It has gone in the meantime.
      Effect.catchIf(hasStatus(404), () => Effect.succeedNone)
    )

  const list = Effect.gen(function* () {
    const label = [`com.docker.compose.project=${project}`, "com.docker.compose.oneoff=False"]
    const found = yield* call((abortSignal) => engine.listContainers({ all: true, filters: { label }, abortSignal }))
    const services = yield* Effect.forEach(found, ({ Id, Labels }) => look(Id, Labels[serviceLabel] ?? Id), {
      concurrency: parallelLooks
    })
    return services.flatMap(Option.toArray).toSorted((one, other) => (one.name < other.name ? -1 : 1))
  })

  /** What a service wrote last; nothing when the engine does not tell. */
  const lastLines = ({ container }: StackService): Effect.Effect<ReadonlyArray<string>> =>
    call(() => engine.getContainer(container).logs({ stdout: true, stderr: true, tail: keptLines })).pipe(
      Effect.map((log) =>
        stripVTControlCharacters(demultiplexed(log))
          .split(/\r?\n/)
          .filter((line) => line.trim() !== "")
          .map((line) => line.slice(0, keptLineCharacters))
      ),
      Effect.orElseSucceed(() => [])
    )

  return { list, lastLines }
})
