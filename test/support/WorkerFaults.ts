/** Faults of workers, as verbs. */
import { Context, Effect, Layer } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Worker } from "#domain/Worker"
import { MemoryWorkers } from "#layers/memory/MemoryWorkers"

export class WorkerFaults extends Context.Service<
  WorkerFaults,
  {
    /** `kill -9` on every process of the worker. */
    readonly kill: (worker: Worker) => Effect.Effect<void>
  }
>()("esb/test/WorkerFaults") {}

export const inMemory: Layer.Layer<WorkerFaults, never, MemoryWorkers> = Layer.effect(
  WorkerFaults,
  Effect.map(MemoryWorkers, ({ kill }) => ({ kill: ({ id }) => kill(id) }))
)

/** The process that leads the group of a worker. */
export const pidOf = (stateDirectory: string, { name }: Pick<Worker, "name">): number => {
  const text = readFileSync(join(stateDirectory, "workers", name, "worker.json"), "utf8")
  const { groups } = JSON.parse(text) as { readonly groups: ReadonlyArray<{ readonly pid: number }> }
  return groups[0]?.pid ?? Number.NaN
}

export const ofProcesses = (stateDirectory: string): Layer.Layer<WorkerFaults> =>
  Layer.succeed(
    WorkerFaults,
    WorkerFaults.of({
      kill: (worker) => Effect.sync(() => void process.kill(-pidOf(stateDirectory, worker), "SIGKILL"))
    })
  )
