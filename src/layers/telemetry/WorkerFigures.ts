/**
 * What an operator wants to know of the workers of a host. The engine and the client are handed on as they are, and what goes
 * through them is counted; how many workers there are and what they use is asked when somebody wants to know.
 */
import { Context, Effect, Layer, Metric } from "effect"
import type { RuntimeUnavailable } from "#domain/Failure"
import type { ContainerId, ContainerMetrics, ContainerState, OwnerId } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import * as FunctionLabel from "./FunctionLabel.ts"
import * as WorkerCalls from "./WorkerCalls.ts"
import * as WorkerStarts from "./WorkerStarts.ts"

export class WorkerFigures extends Context.Service<
  WorkerFigures,
  {
    /** Sets the figures of the workers of every owner who has spoken to this host, in the registry of whoever runs it. */
    readonly collect: Effect.Effect<void, RuntimeUnavailable>
  }
>()("esb/layers/telemetry/WorkerFigures") {}

const workers = Metric.gauge("esb_workers", { description: "Workers, by what they do." })
const memory = Metric.gauge("esb_worker_memory_bytes", {
  description: "Resident bytes of all workers of a function together."
})
const memoryLimit = Metric.gauge("esb_worker_memory_limit_bytes", {
  description: "Bytes that all workers of a function may use together."
})
const cpu = Metric.counter("esb_worker_cpu_seconds_total", {
  description: "Seconds of CPU time used by workers, as of when they were last measured.",
  incremental: true
})

/** Workers measured at once. */
const measureConcurrency = 8

/** What a worker does, in one word. */
const doing = ({ phase, status }: ContainerState): string => {
  switch (status) {
    case "RUNNING":
      return phase
    case "PAUSED":
      return "frozen"
    case "STOPPED":
      return "stopped"
    case "UNKNOWN":
      return "unknown"
  }
}

/** Sums by the labels that come with each value. */
const sum = <A>(all: ReadonlyArray<A>, labels: (one: A) => Metric.Metric.AttributeSet, value: (one: A) => number) => {
  const sums = new Map<string, { readonly labels: Metric.Metric.AttributeSet; readonly value: number }>()
  for (const one of all) {
    const of = labels(one)
    const key = JSON.stringify(of)
    sums.set(key, { labels: of, value: (sums.get(key)?.value ?? 0) + value(one) })
  }
  return [...sums.values()]
}

const set = (metric: Metric.Gauge<number>, sums: ReturnType<typeof sum>) =>
  Effect.forEach(sums, ({ labels, value }) => Metric.update(Metric.withAttributes(metric, labels), value), {
    discard: true
  })

const collector = (
  runtime: ContainerRuntime["Service"],
  { forget, owners }: Effect.Success<ReturnType<typeof WorkerStarts.counted>>,
  label: FunctionLabel.FunctionLabel,
  counters: Context.Context<never>
): Effect.Effect<void, RuntimeUnavailable> => {
  const cpuNanoseconds = new Map<ContainerId, number>()

  const named = ({ functionName }: { readonly functionName: string }) => ({ function: label(functionName) })

  /** Only what is new since a worker was last measured. What it used after its last time is not known. */
  const countCpu = (measured: ContainerMetrics): void => {
    const before = cpuNanoseconds.get(measured.containerId) ?? 0
    cpuNanoseconds.set(measured.containerId, measured.cpuNanoseconds)
    Metric.withAttributes(cpu, named(measured)).updateUnsafe(
      Math.max(0, measured.cpuNanoseconds - before) / 1e9,
      counters
    )
  }

  const forgetAllBut = (running: ReadonlyArray<ContainerState>): void => {
    const ids = new Set(running.map(({ id }) => id))
    for (const id of cpuNanoseconds.keys()) {
      if (!ids.has(id)) {
        cpuNanoseconds.delete(id)
      }
    }
  }

  /** An owner without workers is not asked for again before it is heard of. */
  const listed = (owner: OwnerId) =>
    Effect.tap(runtime.list(owner), (states) => Effect.sync(() => (states.length === 0 ? forget(owner) : undefined)))

  return Effect.gen(function* () {
    const states = (yield* Effect.forEach(owners(), listed)).flat()
    yield* set(
      workers,
      sum(
        states,
        (state) => ({ ...named(state), status: doing(state) }),
        () => 1
      )
    )
    const running = states.filter(({ status }) => status !== "STOPPED")
    const measured = yield* Effect.forEach(
      running,
      // It may have ended since, or its engine may not measure: then nothing is told of it.
      ({ id, owner }) => Effect.catch(Effect.asSome(runtime.metrics(id, owner)), () => Effect.succeedNone),
      { concurrency: measureConcurrency }
    )
    const known = measured.flatMap((one) => (one._tag === "Some" ? [one.value] : []))
    yield* set(
      memory,
      sum(known, named, ({ memoryBytes }) => memoryBytes)
    )
    yield* set(
      memoryLimit,
      sum(known, named, ({ memoryLimitBytes }) => memoryLimitBytes)
    )
    known.forEach(countCpu)
    forgetAllBut(running)
  })
}

/** Goes between the engine and the client of a host and all who use them. */
export const layer: Layer.Layer<
  ContainerRuntime | WorkerClient | WorkerFigures,
  never,
  ContainerRuntime | WorkerClient
> = Layer.effectContext(
  Effect.gen(function* () {
    const label = FunctionLabel.make()
    const runtime = yield* ContainerRuntime
    const starts = yield* WorkerStarts.counted(runtime, label)
    return Context.make(ContainerRuntime, starts.runtime).pipe(
      Context.add(WorkerClient, yield* WorkerCalls.counted(yield* WorkerClient, label)),
      Context.add(WorkerFigures, { collect: collector(runtime, starts, label, yield* Effect.context<never>()) })
    )
  })
)
