/** Worker pools over an engine in memory, under the clock of a test. */
import { Context, Deferred, Effect, Exit, Layer, Redacted, Scope } from "effect"
import { WorkerExited } from "#domain/Failure"
import type { FunctionName } from "#domain/FunctionName"
import type { FunctionSpec } from "#domain/FunctionSpec"
import type { Invocation } from "#domain/Invocation"
import type { OwnerId, Worker } from "#domain/Worker"
import * as MemoryContainerRuntime from "#layers/memory/MemoryContainerRuntime"
import * as MemoryWorkerClient from "#layers/memory/MemoryWorkerClient"
import * as MemoryWorkers from "#layers/memory/MemoryWorkers"
import type { MemoryFunction } from "#layers/memory/MemoryWorkers"
import * as LocalWorkerPool from "#layers/pool/LocalWorkerPool"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerPool } from "#services/WorkerPool"

export const owner = "gateway" as OwnerId

export const orders: FunctionSpec = {
  name: "orders" as FunctionName,
  image: "orders:1",
  runtime: undefined,
  handler: undefined,
  timeoutMs: 3000,
  memoryMiB: 128,
  environment: {},
  scaling: { minCapacity: 0, maxCapacity: 2, idleTimeoutMs: 60_000, acquireTimeoutMs: 2000 },
  asynchronous: { retries: 2, maxAgeMs: 60_000, onSuccess: undefined, onFailure: undefined },
  schedules: []
}

export const scaled = (scaling: Partial<FunctionSpec["scaling"]>, spec: FunctionSpec = orders): FunctionSpec => ({
  ...spec,
  scaling: { ...spec.scaling, ...scaling }
})

export const named = (name: string): FunctionSpec => ({ ...orders, name: name as FunctionName })

/** How a call of it ends whose worker has ended. */
export const exited = new WorkerExited({
  functionName: orders.name,
  containerId: "x",
  requestId: "r",
  errorType: "Runtime.ExitError",
  payload: new Uint8Array(),
  logTail: new Uint8Array()
})

export const options: LocalWorkerPool.Options = {
  owner,
  surroundings: {
    region: "us-east-1",
    accessKeyId: "key",
    secretAccessKey: Redacted.make("secret"),
    gatewayUrl: "http://127.0.0.1:1",
    defaults: {}
  },
  maxWaiting: 2,
  freezeAfterMs: 5000,
  breaker: { threshold: 3, recoveryMs: 30_000 },
  orphanGraceMs: 60_000,
  memoryMiB: 4096
}

type Runtime = ContainerRuntime["Service"]

/** An engine that outlives every Gateway, and what a test puts in its way. */
export const engine = (
  functions: Readonly<Record<string, MemoryFunction>>,
  inTheWay: (runtime: Runtime) => Partial<Runtime> = () => ({})
) =>
  Layer.mergeAll(
    Layer.effect(
      ContainerRuntime,
      Effect.map(ContainerRuntime, (runtime) => ({ ...runtime, ...inTheWay(runtime) }))
    ).pipe(Layer.provide(MemoryContainerRuntime.layer())),
    MemoryWorkerClient.layer
  ).pipe(Layer.provideMerge(MemoryWorkers.layer(functions)))

/** An event for a worker of that engine. */
export const invocationOf = ({ functionName }: Pick<Worker, "functionName">): Invocation => ({
  requestId: "r",
  functionName,
  traceId: "t",
  invokedArn: "arn",
  payload: Buffer.from("{}"),
  clientContext: undefined,
  wantsLogTail: false
})

/** Lets the pool work: nothing in memory takes time, only turns. */
export const settle = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })

/** Borrows for as long as the given signal stays silent, and tells the worker's id as soon as it has it. */
export const hold = Effect.fnUntraced(function* (spec: FunctionSpec) {
  const pool = yield* WorkerPool
  const got = yield* Deferred.make<string>()
  const enough = yield* Deferred.make<void>()
  const fiber = yield* Effect.forkScoped(
    Effect.scoped(
      Effect.gen(function* () {
        const worker = yield* pool.borrow(spec)
        yield* Deferred.succeed(got, worker.id)
        yield* Deferred.await(enough)
        return worker.id
      })
    )
  )
  yield* settle
  return { got, enough, fiber }
})

export const statusOf = Effect.fnUntraced(function* (name: string) {
  const pool = yield* WorkerPool
  return (yield* pool.status).find((line) => line.functionName === name)
})

export const containers = Effect.flatMap(ContainerRuntime, (runtime) => runtime.list(owner))

/** The pools of one Gateway, over an engine that is there before it and stays after it, until it is stopped. */
export const gateway = Effect.fnUntraced(function* (different: Partial<LocalWorkerPool.Options> = {}) {
  const scope = yield* Scope.Scope
  const own = yield* Scope.fork(scope)
  const layer = LocalWorkerPool.layer({ ...options, whenClosed: "leave", ...different })
  const pool = Context.get(yield* Layer.buildWithScope(layer, own), WorkerPool)
  return {
    pool,
    stop: Scope.close(own, Exit.void),
    /** Does something that needs pools with these. */
    within: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.provideService(work, WorkerPool, pool)
  }
})
