/**
 * One Docker Engine, and the calls on it: each with a limit, and tried again for a moment when the engine could not be reached
 * or the connection broke, because engines are restarted and connections kept too long. What it refuses is refused at once.
 */
import { Context, Effect, Layer, Schedule, Schema } from "effect"
import Docker, { type DockerOptions } from "dockerode"
import { Agent } from "node:http"
import { inspect } from "node:util"

/** The engine refused, or did not answer. */
export class EngineFailure extends Schema.TaggedError<EngineFailure>()("EngineFailure", {
  /** `unreached`: it has not heard the request. `lost`: nobody knows whether it has. */
  kind: Schema.Literals(["refused", "unreached", "lost"]),
  /** HTTP status of a refusal. */
  status: Schema.optionalKey(Schema.Finite),
  message: Schema.String,
  cause: Schema.optionalKey(Schema.Unknown)
}) {}

export interface CallOptions {
  readonly limitMs?: number
  /** `false`: asking twice does not come to the same, so that a request that may have been heard is not repeated. */
  readonly repeatable?: boolean
}

/** Where the engine listens. */
export type EngineAddress =
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number; readonly protocol: "http" | "https" }

export class DockerApi extends Context.Service<
  DockerApi,
  {
    readonly engine: Docker
    readonly call: <A>(
      request: (abortSignal: AbortSignal) => Promise<A>,
      options?: CallOptions
    ) => Effect.Effect<A, EngineFailure>
    /** `false`: it did not answer when it was last asked. */
    readonly isReachable: () => boolean
  }
>()("esb/layers/docker/DockerApi") {}

const callLimitMs = 30_000
const retries = 4
const retryEvery = Schedule.exponential("50 millis")

/** Nobody listens there, or not for us. */
const unreached: ReadonlySet<string | undefined> = new Set([
  "ECONNREFUSED",
  "ENOENT",
  "EACCES",
  "ENOTFOUND",
  "EHOSTUNREACH"
])

/** What dockerode throws: the engine's status and words, or a failure of the connection. */
const Thrown = Schema.Struct({
  statusCode: Schema.optional(Schema.Finite),
  code: Schema.optional(Schema.String),
  message: Schema.optional(Schema.String),
  json: Schema.optional(Schema.Unknown)
})
const asThrown = Schema.decodeUnknownOption(Thrown)
/** What dockerode says before the engine's own words. */
const preface = /^\(HTTP code \d+\) [^-]* - /
const asRefusal = Schema.decodeUnknownOption(Schema.Struct({ message: Schema.String }))

const failureOf = (cause: unknown): EngineFailure => {
  const thrown = asThrown(cause)
  const { code, json, message = String(cause), statusCode } = thrown._tag === "Some" ? thrown.value : {}
  if (statusCode !== undefined) {
    const refusal = asRefusal(json)
    const words = refusal._tag === "Some" ? refusal.value.message : message.replace(preface, "").trim()
    return new EngineFailure({ kind: "refused", status: statusCode, message: words, cause })
  }
  const kind = unreached.has(code) ? "unreached" : "lost"
  return new EngineFailure({ kind, message: `the Docker Engine does not answer: ${message}`, cause })
}

export const hasStatus =
  (status: number) =>
  (failure: EngineFailure): boolean =>
    failure.status === status

/**
 * Keeps connections. dockerode writes each request out for a debugger that is not there, whole, with its agent and every
 * connection that one holds: 5 ms a request with one container, 20 ms with fifteen. This one is written in a word.
 */
class Connections extends Agent {
  constructor() {
    super({ keepAlive: true })
  }
  [inspect.custom](): string {
    return "Connections"
  }
}

export const layer = (address: EngineAddress): Layer.Layer<DockerApi> =>
  Layer.effect(
    DockerApi,
    Effect.gen(function* () {
      const agent = yield* Effect.acquireRelease(
        Effect.sync(() => new Connections()),
        (made) => Effect.sync(() => made.destroy())
      )
      // Connections are kept, and closed with the scope; the types of dockerode do not know what it hands on to Node.
      const options: DockerOptions & { readonly agent: Agent } = { ...address, agent }
      const engine = new Docker(options)
      let isReachable = true

      const call = <A>(request: (abortSignal: AbortSignal) => Promise<A>, options: CallOptions = {}) => {
        const { limitMs = callLimitMs, repeatable = true } = options
        return Effect.tryPromise({ try: request, catch: failureOf }).pipe(
          Effect.timeoutOrElse({
            duration: limitMs,
            orElse: () =>
              Effect.fail(
                new EngineFailure({ kind: "lost", message: `the Docker Engine did not answer within ${limitMs} ms` })
              )
          }),
          Effect.tap(() => Effect.sync(() => void (isReachable = true))),
          Effect.tapError(({ kind }) => Effect.sync(() => void (isReachable = kind === "refused"))),
          Effect.retry({
            times: retries,
            schedule: retryEvery,
            while: ({ kind }) => kind === "unreached" || (kind === "lost" && repeatable)
          })
        )
      }

      return { engine, call, isReachable: () => isReachable }
    })
  )
