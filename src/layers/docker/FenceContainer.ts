/**
 * The fence of an Agent that runs in a container, where it sees no packet filter but its own: the engine runs the Agent's image
 * once more, for a moment, in the machine's network, with the right to change its filter and no other.
 */
import { Effect, Layer } from "effect"
import type { ContainerCreateOptions } from "dockerode"
import type { StackIdentity } from "#domain/StackIdentity"
import { FenceUnavailable, WorkerFence } from "#services/WorkerFence"
import { DockerApi, type EngineFailure, hasStatus } from "./DockerApi.ts"

export interface FenceProgram {
  /** Digest of the image that has it. */
  readonly image: string
  /** How it is called there: Node, and the program's file. */
  readonly command: ReadonlyArray<string>
}

const longestRunMs = 30_000
const memoryBytes = 268_435_456
const processLimit = 64
/** How much of what it says is read. */
const keptLines = 20

/** One for a stack: what an Agent that was killed has left in its place is removed first. */
const nameOf = ({ brand, environment }: StackIdentity): string => `${brand}-${environment}-fence`

const optionsOf = (program: FenceProgram, stack: StackIdentity, args: ReadonlyArray<string>) =>
  ({
    name: nameOf(stack),
    Image: program.image,
    Entrypoint: [...program.command],
    Cmd: [...args],
    User: "0:0",
    // Its words come as they are, and not in the engine's frames.
    Tty: true,
    Healthcheck: { Test: ["NONE"] },
    Labels: { created_by: `${stack.brand}-agent`, [`com.${stack.brand}.kind`]: "fence" },
    HostConfig: {
      NetworkMode: "host",
      UsernsMode: "host",
      RestartPolicy: { Name: "no" },
      CapDrop: ["ALL"],
      CapAdd: ["NET_ADMIN"],
      SecurityOpt: ["no-new-privileges"],
      ReadonlyRootfs: true,
      Memory: memoryBytes,
      PidsLimit: processLimit,
      LogConfig: { Type: "json-file", Config: {} }
    }
  }) satisfies ContainerCreateOptions

const make = Effect.fnUntraced(function* (program: FenceProgram) {
  const { call, engine } = yield* DockerApi

  const remove = (name: string) =>
    call((abortSignal) => engine.getContainer(name).remove({ force: true, v: true, abortSignal })).pipe(
      Effect.catchIf(hasStatus(404), () => Effect.void)
    )

  const run = Effect.fnUntraced(function* (stack: StackIdentity, args: ReadonlyArray<string>) {
    const options = optionsOf(program, stack, args)
    yield* remove(options.name)
    const container = yield* Effect.acquireRelease(
      call((abortSignal) => engine.createContainer({ ...options, abortSignal }), { repeatable: false }),
      // The next one removes what this one could not.
      () => Effect.ignore(remove(options.name), { log: "Warn" })
    )
    yield* call((abortSignal) => container.start({ abortSignal }))
    const { StatusCode } = yield* call((abortSignal): Promise<{ readonly StatusCode: number }> =>
      container.wait({ abortSignal })
    )
    if (StatusCode === 0) return
    const said = yield* call((abortSignal) =>
      container.logs({ stdout: true, stderr: true, tail: keptLines, abortSignal })
    )
    const detail = `${args[0]} in a container of the Agent's image ended with ${StatusCode}: ${said.toString("utf8").trim()}`
    return yield* new FenceUnavailable({ detail })
  }, Effect.scoped)

  const unavailable = (failure: EngineFailure | FenceUnavailable): FenceUnavailable =>
    failure._tag === "FenceUnavailable" ? failure : new FenceUnavailable({ detail: failure.message, cause: failure })

  const told = (stack: StackIdentity, ...args: ReadonlyArray<string>) =>
    run(stack, args).pipe(
      Effect.mapError(unavailable),
      Effect.timeoutOrElse({
        duration: longestRunMs,
        orElse: () => Effect.fail(new FenceUnavailable({ detail: `not done after ${longestRunMs} ms` }))
      })
    )

  return WorkerFence.of({
    raise: (fence) => told(fence.stack, "raise", JSON.stringify(fence)),
    lower: (stack) => told(stack, "lower", JSON.stringify(stack))
  })
})

export const layer = (program: FenceProgram): Layer.Layer<WorkerFence, never, DockerApi> =>
  Layer.effect(WorkerFence, make(program))
