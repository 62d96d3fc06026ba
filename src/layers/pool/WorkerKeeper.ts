/** What pools have done to workers: started, adopted, frozen, thawed, destroyed. Knows every worker of theirs that may be alive. */
import { Effect, Exit, Fiber, type Scope } from "effect"
import type { FunctionName } from "#domain/FunctionName"
import type { ContainerId, OwnerId, Worker, WorkerSpec } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import type { BorrowFailure } from "#services/WorkerPool"

/**
 * What becomes of the workers when the pools end: they end too, or they stay for the next Gateway of the same owner, where
 * the engine outlives this one.
 */
export type WhenClosed = "destroy" | "leave"

/** `useless`: the worker is of no more use. `away`: nobody could be asked, and it is as it was. */
export type Change = "done" | "useless" | "away"

/** `left`: it is frozen as before, and its call thaws it. */
export type Thaw = Change | "left"

type Named = Pick<Worker, "id" | "name">

export interface WorkerKeeper {
  /** A worker that is ready for its first call. Nothing is left behind when it is not. */
  readonly start: (spec: WorkerSpec) => Effect.Effect<Worker, BorrowFailure>
  /** From now on a worker like those that were started here. */
  readonly adopt: (worker: Worker, isFrozen: boolean) => void
  /** It may be of use again, but nobody knows: from now on no pool's. */
  readonly release: (id: ContainerId) => void
  /** A failure is logged: the sweep will find the container, because it belongs to no pool. */
  readonly destroy: (worker: Named) => Effect.Effect<void>
  readonly freeze: (worker: Worker) => Effect.Effect<Change>
  /** Waits for a freeze that is under way. */
  readonly thaw: (worker: Worker) => Effect.Effect<Thaw>
  /** In a pool, on its way there, or being destroyed: nobody else's to judge. */
  readonly isKept: (id: ContainerId) => boolean
  /** Who is kept at this moment. */
  readonly kept: () => ReadonlySet<ContainerId>
  /** The engine may have a container of this function whose id is not known here yet. */
  readonly isStarting: (functionName: FunctionName) => boolean
}

/** How long workers that were given up are waited for when the pools end and the engine stays. */
const partingLimit = "5 seconds"

export const make = Effect.fnUntraced(function* (
  owner: OwnerId,
  whenClosed: WhenClosed
): Effect.fn.Return<WorkerKeeper, never, ContainerRuntime | WorkerClient | Scope.Scope> {
  const runtime = yield* ContainerRuntime
  const client = yield* WorkerClient
  const starting = new Set<{ readonly functionName: FunctionName }>()
  const alive = new Map<ContainerId, Named>()
  /** Given up, and not yet known to be gone. */
  const leaving = new Map<ContainerId, Named>()
  const freezing = new Map<ContainerId, Fiber.Fiber<Change>>()
  /** Frozen by the engine's own word. */
  const frozen = new Set<ContainerId>()

  const forget = (id: ContainerId): void => {
    alive.delete(id)
    frozen.delete(id)
  }

  const part = (workers: ReadonlyArray<Named>) =>
    Effect.forEach(workers, ({ id }) => Effect.ignore(runtime.destroy(id, owner)), {
      concurrency: "unbounded",
      discard: true
    })
  yield* Effect.addFinalizer(() =>
    whenClosed === "destroy"
      ? part([...alive.values(), ...leaving.values()])
      : Effect.asVoid(Effect.timeoutOption(part([...leaving.values()]), partingLimit))
  )

  const destroy = Effect.fnUntraced(function* (worker: Named) {
    forget(worker.id)
    leaving.set(worker.id, worker)
    yield* Effect.catch(runtime.destroy(worker.id, owner), (failure) =>
      Effect.logWarning(`worker ${worker.name} could not be destroyed: ${failure.message}`)
    )
    // Not when interrupted: then the pools end, and whoever is left here is parted with.
    leaving.delete(worker.id)
  })

  /** A line in the log when it fails. */
  const attempt = (
    worker: Worker,
    done: string,
    work: Effect.Effect<void, { readonly message: string; readonly isAway?: boolean | undefined }>
  ): Effect.Effect<Change> =>
    work.pipe(
      Effect.as<Change>("done"),
      Effect.catch((failure) =>
        Effect.as<Change>(failure.isAway === true || !runtime.isReachable() ? "away" : "useless")(
          Effect.logWarning(`worker ${worker.name} could not be ${done}: ${failure.message}`)
        )
      )
    )

  const adopt = (worker: Worker, isFrozen: boolean): void => {
    alive.set(worker.id, worker)
    if (isFrozen) frozen.add(worker.id)
  }

  const freeze = (worker: Worker) =>
    Effect.tap(attempt(worker, "frozen", runtime.suspend(worker.id, owner)), (change) =>
      Effect.sync(() => {
        // It may have been given up meanwhile.
        if (change === "done" && alive.has(worker.id)) frozen.add(worker.id)
      })
    )

  return {
    start: Effect.fnUntraced(function* (spec) {
      const start = { functionName: spec.functionName }
      starting.add(start)
      const worker = yield* runtime.ensure(spec, owner).pipe(
        Effect.tap((worker) => Effect.sync(() => adopt(worker, false))),
        Effect.ensuring(Effect.sync(() => starting.delete(start)))
      )
      yield* Effect.onExit(client.ready(worker), (exit) => (Exit.isSuccess(exit) ? Effect.void : destroy(worker)))
      return worker
    }),
    adopt,
    release: forget,
    destroy,
    freeze: Effect.fnUntraced(function* (worker) {
      const fiber = yield* Effect.forkChild(freeze(worker))
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
      // A freeze that was not answered may be on its way yet: it would overtake a call, but no thaw that goes the same way.
      const isCertain = frozen.delete(worker.id)
      return isCertain && client.thaws(worker)
        ? "left"
        : yield* attempt(worker, "thawed", runtime.resume(worker.id, owner))
    }),
    kept: () => new Set([...alive.keys(), ...leaving.keys()]),
    isKept: (id) => alive.has(id) || leaving.has(id),
    isStarting: (functionName) => [...starting].some((start) => start.functionName === functionName)
  }
})
