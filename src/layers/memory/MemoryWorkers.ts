/** What the in-memory engine and the in-memory client share: the workers, and the functions they run. */
import { Clock, Context, Deferred, Effect, type Latch, Layer, type Scope } from "effect"
import type { InitFailed } from "#domain/Failure"
import type { Invocation } from "#domain/Invocation"
import type { ContainerId, ContainerStatus, Phase, Worker, WorkerSpec } from "#domain/Worker"
import type { ExitStatus } from "#domain/WorkerExit"
import type { WorkerSettings } from "#domain/WorkerSettings"

/** What a handler learns of its call, and may do besides returning. */
export interface MemoryContext {
  readonly invocation: Invocation
  /** The worker it runs in. */
  readonly containerId: ContainerId
  /** Writes a line to the function's log. */
  readonly log: (line: string) => void
  /** Ends the worker as `process.exit` would. Does not return. */
  readonly exit: (code: number) => never
}

/**
 * A function as plain TypeScript: a `handler` that returns, throws or promises, or an `effect`, which alone keeps to the
 * clock of a test. `init` runs once per worker, before its first call; its failure is an init error.
 */
export type MemoryFunction = { readonly init?: (spec: WorkerSpec) => Effect.Effect<unknown, Error> } & (
  | { readonly handler: (event: unknown, context: MemoryContext) => unknown }
  | { readonly effect: (event: unknown, context: MemoryContext) => Effect.Effect<unknown, Error> }
)

export interface MemoryWorker {
  readonly worker: Worker
  readonly settings: WorkerSettings
  readonly code: MemoryFunction
  readonly initialised: Deferred.Deferred<void, InitFailed>
  readonly ended: Deferred.Deferred<ExitStatus>
  /** Open while the worker runs, closed while it is suspended. */
  readonly thawed: Latch.Latch
  readonly scope: Scope.Closeable
  status: ContainerStatus
  phase: Phase
  lastUsedAtUnixSeconds: number
  exit: { readonly status: ExitStatus; readonly atUnixSeconds: number } | undefined
}

export class MemoryWorkers extends Context.Service<
  MemoryWorkers,
  {
    /** By the name of the function. */
    readonly functions: Readonly<Record<string, MemoryFunction>>
    /** By id, in the order they were started. */
    readonly workers: Map<ContainerId, MemoryWorker>
    /** Ends a worker, whatever it is doing: the fault `kill -9`, unless told otherwise. An unknown id is left alone. */
    readonly kill: (id: ContainerId, status?: ExitStatus) => Effect.Effect<void>
  }
>()("esb/layers/memory/MemoryWorkers") {}

const killed: ExitStatus = { code: undefined, signal: "SIGKILL", outOfMemory: false, extension: undefined }

export const layer = (functions: Readonly<Record<string, MemoryFunction>>): Layer.Layer<MemoryWorkers> =>
  Layer.sync(MemoryWorkers, () => {
    const workers = new Map<ContainerId, MemoryWorker>()
    const kill = Effect.fnUntraced(function* (id: ContainerId, status: ExitStatus = killed) {
      const found = workers.get(id)
      if (found === undefined || found.status === "STOPPED") return
      const now = yield* Clock.currentTimeMillis
      found.status = "STOPPED"
      found.phase = "dirty"
      found.exit = { status, atUnixSeconds: Math.floor(now / 1_000) }
      yield* Deferred.succeed(found.ended, status)
    })
    return { functions, workers, kill }
  })

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"

/** Whatever a function threw: mostly an error, but a function may throw anything. */
export class Thrown {
  readonly value: unknown
  constructor(value: unknown) {
    this.value = value
  }

  get errorType(): string {
    return this.value instanceof Error ? this.value.name : "Error"
  }

  get message(): string {
    return this.value instanceof Error ? this.value.message : String(this.value)
  }
}

const wrap = (value: unknown): Thrown => new Thrown(value)

const settle = (answer: unknown): Effect.Effect<unknown, Thrown> =>
  isThenable(answer) ? Effect.tryPromise({ try: () => answer, catch: wrap }) : Effect.succeed(answer)

/** One call of a function, however it chooses to answer. */
export const run = (code: MemoryFunction, event: unknown, context: MemoryContext): Effect.Effect<unknown, Thrown> =>
  "effect" in code
    ? Effect.mapError(code.effect(event, context), wrap)
    : Effect.flatMap(Effect.try({ try: () => code.handler(event, context), catch: wrap }), settle)

/** The init code of a function, if it has any. */
export const initialise = (code: MemoryFunction, spec: WorkerSpec): Effect.Effect<void, Thrown> =>
  code.init === undefined ? Effect.void : Effect.asVoid(Effect.mapError(code.init(spec), wrap))
