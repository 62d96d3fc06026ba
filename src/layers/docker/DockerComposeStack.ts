/**
 * A stack that Compose starts and a Docker Engine keeps running. What runs is asked of the engine, which tells it alike
 * whichever Compose is there; when Compose fails because a service does, the failure is that of the service.
 */
import { Clock, Duration, Effect, Layer } from "effect"
import { readFile } from "node:fs/promises"
import { isDone, readiness, type StackService } from "#domain/StackService"
import {
  ComposeEngineUnreachable,
  ComposeFailed,
  ComposeStack,
  type Progress,
  ServicesNotReady
} from "#services/ComposeStack"
import * as ComposeCommand from "./ComposeCommand.ts"
import * as ComposeEnvironment from "./ComposeEnvironment.ts"
import * as ComposeServices from "./ComposeServices.ts"
import { DockerApi } from "./DockerApi.ts"

export interface Options {
  /** Begins the name of all that belongs to the stack. */
  readonly project: string
  /** Compose files; a later one adds to those before it. Absolute paths. */
  readonly files: ReadonlyArray<string>
  /** Values of the files' variables, as `ComposeEnvironment` writes them. They count, whatever the environment says. */
  readonly environmentFile: string
  /** The whole environment of Compose. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** How a reader knows the engine: `unix:///var/run/docker.sock`. Compose and {@link DockerApi} speak to the same. */
  readonly engine: string
  /** How long services may take to become healthy once all have been started. */
  readonly readyWithin: Duration.Duration
}

/** Images may have to be pulled, and stores may wait for one another. */
const longestUpMs = 1_800_000
const longestRunMs = 900_000
const longestStopMs = 300_000
const lookEvery = "500 millis"

/** Compose lets a variable of its environment win over its file. */
const environmentOf = ({ engine, environment, environmentFile }: Options) =>
  Effect.tryPromise(() => readFile(environmentFile, "utf8")).pipe(
    // Compose says that there is none.
    Effect.orElseSucceed(() => ""),
    Effect.map((text) => ({
      ...environment,
      ...Object.fromEntries(ComposeEnvironment.namesIn(text).map((name) => [name, undefined])),
      DOCKER_HOST: engine,
      // Every service without a profile is wanted, and none with one.
      COMPOSE_PROFILES: undefined
    }))
  )

const make = Effect.fnUntraced(function* (options: Options) {
  const { call, engine } = yield* DockerApi
  const { lastLines, list } = yield* ComposeServices.make(options.project)
  const command = yield* Effect.cached(Effect.flatMap(environmentOf(options), ComposeCommand.find))

  const unreachable = ({ message }: { readonly message: string }) =>
    new ComposeEngineUnreachable({ engine: options.engine, detail: message })
  const services = list.pipe(Effect.mapError(unreachable))

  const files = options.files.flatMap((file) => ["--file", file])
  const named = ["--project-name", options.project, "--env-file", options.environmentFile]
  const project = ["--ansi", "never", ...named, ...files]

  /** The project as Compose is asked to treat it, once the engine answers. */
  const execute = Effect.fnUntraced(function* (args: ReadonlyArray<string>, limitMs: number, progress: Progress) {
    yield* call(() => engine.ping()).pipe(Effect.mapError(unreachable))
    const { name, run } = yield* command
    return { name, ...(yield* run([...project, ...args], { limitMs, progress })) }
  })

  /** Fails with its last words when it ends with another code than 0. */
  const compose = Effect.fnUntraced(function* (args: ReadonlyArray<string>, limitMs: number, progress: Progress) {
    const { code, lastLines, name } = yield* execute(args, limitMs, progress)
    if (code === 0) return
    const detail = [`it ended with ${code ?? "a signal"}`, ...lastLines.map((line) => `  ${line}`)].join("\n")
    return yield* new ComposeFailed({ command: `${name} ${args[0] ?? ""}`, detail })
  })

  const notReady = Effect.fnUntraced(function* (
    failures: ReadonlyArray<{ readonly service: StackService; readonly problem: string }>
  ) {
    const told = yield* Effect.forEach(failures, ({ problem, service }) =>
      Effect.map(lastLines(service), (lines) => ({ name: service.name, problem, lastLines: lines }))
    )
    return new ServicesNotReady({ services: told })
  })

  /** What is known of each while it is waited for. */
  const watch = (first: ReadonlyArray<StackService>) => {
    const restartsAtFirst = new Map(first.map(({ container, restarts }) => [container, restarts]))
    const seen = new Map<string, { readonly as: string; readonly sinceMs: number }>()
    return (service: StackService, nowMs: number) => {
      const { container, health, restarts, state } = service
      const as = `${state} ${health} ${restarts}`
      const before = seen.get(container)
      const { sinceMs } = before?.as === as ? before : { sinceMs: nowMs }
      seen.set(container, { as, sinceMs })
      return readiness(service, {
        restartsAtFirst: restartsAtFirst.get(container) ?? 0,
        unchangedMs: nowMs - sinceMs
      })
    }
  }

  const untilReady = Effect.fnUntraced(function* (progress: Progress) {
    const deadlineMs = (yield* Clock.currentTimeMillis) + Duration.toMillis(options.readyWithin)
    const readinessOf = watch(yield* services)
    let waitedFor = ""
    for (;;) {
      const nowMs = yield* Clock.currentTimeMillis
      const seen = (yield* services).map((service) => ({ service, is: readinessOf(service, nowMs) }))
      const failed = seen.flatMap(({ is, service }) => (is._tag === "Failed" ? [{ service, problem: is.problem }] : []))
      if (failed.length > 0) return yield* yield* notReady(failed)
      const waiting = seen.filter(({ is }) => is._tag === "Waiting").map(({ service }) => service)
      if (waiting.length === 0) return
      if (nowMs >= deadlineMs) {
        const problem = `is not ready after ${Duration.toSeconds(options.readyWithin)} s`
        return yield* yield* notReady(
          waiting.map((service) => ({ service, problem: `${problem} (${service.state}, health ${service.health})` }))
        )
      }
      const names = waiting.map(({ name }) => name).join(", ")
      if (names !== waitedFor) progress(`waiting for ${names}`)
      waitedFor = names
      yield* Effect.sleep(lookEvery)
    }
  })

  /** A service that has ended or is ill tells more than Compose, which only saw that it could not go on. */
  const explain = Effect.fnUntraced(function* (
    failure: ComposeFailed,
    fromUnixMs: number,
    first: ReadonlyArray<StackService>
  ) {
    const restartsAtFirst = new Map(first.map(({ container, restarts }) => [container, restarts]))
    const ill = (yield* services).flatMap((service) => {
      const { container, endedAtUnixMs = 0, exitCode, health, restarts } = service
      const again = restarts - (restartsAtFirst.get(container) ?? 0)
      // It has ended, too, and is not ill yet.
      if (exitCode === undefined && again > 0)
        return [{ service, problem: `ends, and was started again ${again === 1 ? "once" : `${again} times`}` }]
      if (exitCode === undefined) return health === "unhealthy" ? [{ service, problem: "is unhealthy" }] : []
      // What ended long ago is not why Compose could not go on now.
      return !isDone(service) && endedAtUnixMs >= fromUnixMs
        ? [{ service, problem: `ended with code ${exitCode}` }]
        : []
    })
    return yield* ill.length === 0 ? failure : yield* notReady(ill)
  })

  return ComposeStack.of({
    up: Effect.fnUntraced(function* (progress) {
      const fromUnixMs = yield* Clock.currentTimeMillis
      const first = yield* services
      yield* compose(["up", "--detach", "--remove-orphans"], longestUpMs, progress).pipe(
        Effect.catchTag("ComposeFailed", (failure) => explain(failure, fromUnixMs, first))
      )
      yield* untilReady(progress)
    }),
    run: Effect.fnUntraced(function* (service, args, progress) {
      const { code, name } = yield* execute(["run", "--rm", "-T", service, ...args], longestRunMs, progress)
      if (code !== undefined) return code
      return yield* new ComposeFailed({ command: `${name} run ${service}`, detail: "a signal ended it" })
    }),
    stop: (names, progress) => compose(["stop", ...names], longestStopMs, progress),
    down: ({ volumes }, progress) =>
      compose(["down", "--remove-orphans", ...(volumes ? ["--volumes"] : [])], longestStopMs, progress),
    services
  })
})

export const layer = (options: Options): Layer.Layer<ComposeStack, never, DockerApi> =>
  Layer.effect(ComposeStack, make(options))
