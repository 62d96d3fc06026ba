/** What pools have done to workers: started, frozen, thawed, destroyed. Knows every worker that is alive, and leaves none behind. */
import { Effect, Exit, Fiber, type Scope } from "effect"
import type { ContainerId, OwnerId, Worker, WorkerSpec } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import type { BorrowFailure } from "#services/WorkerPool"

export interface WorkerKeeper {
  /** A worker that is ready for its first call. Nothing is left behind when it is not. */
  readonly start: (spec: WorkerSpec) => Effect.Effect<Worker, BorrowFailure>
  /** A failure is logged: the sweep will find the container, because it belongs to no pool. */
  readonly destroy: (worker: Worker) => Effect.Effect<void>
  /** `false`: the worker is of no more use. */
  readonly freeze: (worker: Worker) => Effect.Effect<boolean>
  /** Waits for a freeze that is under way. `false`: the worker is of no more use. */
  readonly thaw: (worker: Worker) => Effect.Effect<boolean>
  /** Destroys containers of this owner that are old enough and nobody's here, and what the engine finds useless. */
  readonly sweep: (nowMs: number, graceMs: number) => Effect.Effect<void>
}

/** Whether other owners are gone is for the engine's own program to know. */
const nobody = (): boolean => false

export const make = Effect.fnUntraced(function* (
  owner: OwnerId
): Effect.fn.Return<WorkerKeeper, never, ContainerRuntime | WorkerClient | Scope.Scope> {
  const runtime = yield* ContainerRuntime
  const client = yield* WorkerClient
  const alive = new Map<ContainerId, Worker>()
  const freezing = new Map<ContainerId, Fiber.Fiber<boolean>>()
  yield* Effect.addFinalizer(() =>
    Effect.forEach(alive.values(), (worker) => Effect.ignore(runtime.destroy(worker.id, owner)), {
      concurrency: "unbounded",
      discard: true
    })
  )

  const destroy = (worker: Pick<Worker, "id" | "name">) =>
    runtime.destroy(worker.id, owner).pipe(
      Effect.tap(() => Effect.sync(() => alive.delete(worker.id))),
      Effect.catch((failure) => Effect.logWarning(`worker ${worker.name} could not be destroyed: ${failure.message}`))
    )

  /** `false`, and a line in the log, when it fails. */
  const attempt = (
    worker: Worker,
    done: string,
    work: Effect.Effect<void, { readonly message: string }>
  ): Effect.Effect<boolean> =>
    work.pipe(
      Effect.as(true),
      Effect.catch((failure) =>
        Effect.as(Effect.logWarning(`worker ${worker.name} could not be ${done}: ${failure.message}`), false)
      )
    )

  return {
    start: Effect.fnUntraced(function* (spec) {
      const worker = yield* Effect.tap(runtime.ensure(spec, owner), (worker) =>
        Effect.sync(() => alive.set(worker.id, worker))
      )
      yield* Effect.onExit(client.ready(worker), (exit) => (Exit.isSuccess(exit) ? Effect.void : destroy(worker)))
      return worker
    }),
    destroy,
    freeze: Effect.fnUntraced(function* (worker) {
      const fiber = yield* Effect.forkChild(attempt(worker, "frozen", runtime.suspend(worker.id, owner)))
      freezing.set(worker.id, fiber)
      return yield* Effect.ensuring(
        Fiber.join(fiber),
        Effect.sync(() => freezing.delete(worker.id))
      )
    }),
    thaw: Effect.fnUntraced(function* (worker) {
      const fiber = freezing.get(worker.id)
      if (fiber !== undefined) {
        yield* Fiber.await(fiber)
      }
      return yield* attempt(worker, "thawed", runtime.resume(worker.id, owner))
    }),
    sweep: (nowMs, graceMs) =>
      Effect.gen(function* () {
        const containers = yield* runtime.list(owner)
        const orphans = containers.filter(
          ({ createdAtUnixSeconds, id }) => !alive.has(id) && nowMs - createdAtUnixSeconds * 1000 >= graceMs
        )
        yield* Effect.forEach(orphans, destroy, { discard: true })
        yield* runtime.gc(nobody)
      }).pipe(Effect.catch((failure) => Effect.logWarning(`workers could not be swept: ${failure.message}`)))
  }
})
