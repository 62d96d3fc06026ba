/** Images as the engine has them, fetched as the policy says. */
import { Effect, Redacted, Result, Semaphore } from "effect"
import { ArtifactNotFound, RuntimeUnavailable } from "#domain/Failure"
import * as ImageReference from "#domain/ImageReference"
import { DockerApi, EngineFailure, hasStatus } from "./DockerApi.ts"
import type { DockerSettings } from "./DockerSettings.ts"

export interface ContainerImage {
  readonly reference: string
  /** Digest of its configuration: the same for the same content. */
  readonly digest: string
  /** What it starts, with its arguments. */
  readonly entrypoint: ReadonlyArray<string>
  /** Empty: the image does not care. */
  readonly user: string
}

/** A registry says so in several ways, and the engine hands the words on, with a status of its own choice. */
const saysMissing = /manifest unknown|manifest for .+ not found|repository .+ not found|does not exist|name unknown/i

const isMissing = ({ message, status }: EngineFailure): boolean => status === 404 || saysMissing.test(message)

const words = (value: string | ReadonlyArray<string> | null | undefined): ReadonlyArray<string> =>
  typeof value === "string" ? [value] : (value ?? [])

/** What is started, with its arguments, as an image or a container has it. */
export const startOf = (config: {
  readonly Entrypoint?: string | ReadonlyArray<string> | null | undefined
  readonly Cmd?: ReadonlyArray<string> | null | undefined
}): ReadonlyArray<string> => [...words(config.Entrypoint), ...words(config.Cmd)]

export const make = Effect.fnUntraced(function* (settings: DockerSettings) {
  const { call, engine } = yield* DockerApi
  const pulls = Semaphore.makeUnsafe(settings.parallelPulls)

  const inspect = (reference: string): Effect.Effect<ContainerImage | undefined, EngineFailure> =>
    call(() => engine.getImage(reference).inspect()).pipe(
      Effect.map(({ Config, Id }) => ({
        reference,
        digest: Id,
        entrypoint: startOf(Config ?? {}),
        user: Config?.User ?? ""
      })),
      Effect.catchIf(hasStatus(404), () => Effect.undefined)
    )

  /** The engine tells what goes wrong on the way inside a stream that ends well. */
  const progress = (stream: NodeJS.ReadableStream): Effect.Effect<void, EngineFailure> =>
    Effect.callback((resume) => {
      engine.modem.followProgress(stream, (error) =>
        resume(
          error === null
            ? Effect.void
            : Effect.fail(new EngineFailure({ kind: "refused", message: error.message, cause: error }))
        )
      )
      return Effect.sync(() => {
        if ("destroy" in stream && typeof stream.destroy === "function") stream.destroy()
      })
    })

  /** For the registry that a reference names, if there are any. */
  const loginFor = (reference: string) => {
    const host = Result.getOrUndefined(ImageReference.parse(reference))?.host
    const login = settings.logins.find(({ registry }) => registry === host)
    if (login === undefined) return {}
    const { password, registry, username } = login
    return { authconfig: { username, password: Redacted.value(password), serveraddress: registry } }
  }

  const pull = (reference: string) =>
    call((abortSignal) => engine.pull(reference, { ...loginFor(reference), abortSignal })).pipe(
      Effect.flatMap(progress),
      Effect.timeoutOrElse({
        duration: settings.pullLimitMs,
        orElse: () =>
          Effect.fail(new EngineFailure({ kind: "lost", message: `not there after ${settings.pullLimitMs} ms` }))
      }),
      pulls.withPermit
    )

  const fetched = Effect.fnUntraced(function* (reference: string) {
    yield* pull(reference)
    return yield* inspect(reference)
  })

  const find = Effect.fnUntraced(function* (reference: string) {
    const present = yield* inspect(reference)
    if (settings.pullPolicy === "never" || (present !== undefined && settings.pullPolicy === "if-not-present")) {
      return present
    }
    if (present === undefined) return yield* fetched(reference)
    // A registry that is away for a while must not keep functions from starting that have started before.
    return yield* fetched(reference).pipe(
      Effect.tapError(({ message }) =>
        Effect.logWarning(`Image ${reference} could not be pulled, and is used as it is here: ${message}`)
      ),
      Effect.orElseSucceed(() => present)
    )
  })

  const failureOf = (reference: string, failure: EngineFailure): RuntimeUnavailable | ArtifactNotFound =>
    isMissing(failure)
      ? new ArtifactNotFound({ image: reference, detail: failure.message })
      : new RuntimeUnavailable({ detail: `image ${reference}: ${failure.message}`, cause: failure })

  /** The image, or in whose words there is none. */
  const get = Effect.fnUntraced(function* (reference: string) {
    const image = yield* Effect.mapError(find(reference), (failure) => failureOf(reference, failure))
    if (image !== undefined) return image
    const detail = "the Docker Engine has no such image or tag, and fetches none by itself"
    return yield* new ArtifactNotFound({ image: reference, detail })
  })

  return { get }
})
