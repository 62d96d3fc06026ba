/**
 * The worker pools of one Gateway, kept in its memory. Starts, thaws and destroys through `ContainerRuntime`, asks
 * `WorkerClient` whether a worker is ready, and whether a frozen one may be left to its call. When the engine fails, callers in
 * the queue are told one by one and the breaker of the function counts. Workers that outlived an earlier Gateway of the same
 * owner are taken over.
 */
import { createHash } from "node:crypto"
import { Clock, Effect, Exit, FiberSet, Layer } from "effect"
import * as Breaker from "#domain/Breaker"
import { BreakerOpen } from "#domain/Failure"
import type { FunctionName } from "#domain/FunctionName"
import type { FunctionSpec } from "#domain/FunctionSpec"
import type { PoolLimits } from "#domain/Pool"
import { type LentWorker, type OwnerId, specText, type Worker, type WorkerSpec } from "#domain/Worker"
import { compose, type Surroundings } from "#domain/WorkerEnvironment"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import { type BorrowFailure, WorkerPool } from "#services/WorkerPool"
import * as CallEnd from "./CallEnd.ts"
import * as Foundlings from "./Foundlings.ts"
import { type Hands, Lane, type Ticket } from "./Lane.ts"
import { Starts } from "./Starts.ts"
import * as WorkerKeeper from "./WorkerKeeper.ts"

export interface Options {
  readonly owner: OwnerId
  readonly surroundings: Surroundings
  readonly maxWaiting: number
  /** `undefined`: idle workers are never frozen. */
  readonly freezeAfterMs: number | undefined
  readonly breaker: Breaker.BreakerLimits
  /** A container in no pool is left alone until it is this old: it may be on its way into one. */
  readonly orphanGraceMs: number
  /** Memory all workers of one function may have together; its share of the maximum capacity follows from it. */
  readonly memoryMiB: number
  /** `destroy` unless told otherwise. */
  readonly whenClosed?: WorkerKeeper.WhenClosed
}

const opened = (name: FunctionName, failures: number, { recoveryMs }: Breaker.BreakerLimits): string =>
  `${name}: its workers failed ${failures} times in a row; calls are refused for ${recoveryMs / 1000} s or until it changes`

export const layer = (options: Options) =>
  Layer.effect(
    WorkerPool,
    Effect.gen(function* () {
      const client = yield* WorkerClient
      const runtime = yield* ContainerRuntime
      const clock = yield* Clock.Clock
      const lanes = new Map<FunctionName, Lane>()
      const prepared = new WeakMap<FunctionSpec, WorkerSpec>()
      /** Specs that a later one has taken the place of. */
      const superseded = new WeakSet<FunctionSpec>()
      // Made first, so that it is closed last: no background work can start another worker then.
      const keeper = yield* WorkerKeeper.make(options.owner, options.whenClosed ?? "destroy")
      const fork = yield* FiberSet.makeRuntime()
      const foundlings = yield* Foundlings.make({
        owner: options.owner,
        lanes,
        keeper,
        fork,
        graceMs: options.orphanGraceMs
      })

      const workerSpec = (spec: FunctionSpec): WorkerSpec => {
        const known = prepared.get(spec)
        if (known !== undefined) {
          return known
        }
        const wanted = {
          functionName: spec.name,
          image: spec.image,
          environment: compose(spec, options.surroundings)
        }
        const specHash = createHash("sha256").update(specText(wanted)).digest("hex")
        const fresh: WorkerSpec = { ...wanted, specHash }
        prepared.set(spec, fresh)
        return fresh
      }

      const limits = (spec: FunctionSpec): PoolLimits => ({
        minCapacity: spec.scaling.minCapacity,
        maxCapacity: Math.min(spec.scaling.maxCapacity, Math.max(1, Math.floor(options.memoryMiB / spec.memoryMiB))),
        maxWaiting: options.maxWaiting,
        idleTimeoutMs: spec.scaling.idleTimeoutMs,
        freezeAfterMs: options.freezeAfterMs
      })

      /** While its engine is away nobody can tell whether a worker is of use: it is looked after until that shows. */
      const partWith = (lane: Lane, worker: Worker, isAway = !runtime.isReachable()): void =>
        isAway ? foundlings.lookAfter(worker) : lane.lose(worker)

      /** A worker of the minimum is what AWS calls provisioned. */
      const asProvisioned = (spec: WorkerSpec): WorkerSpec => ({
        ...spec,
        environment: { ...spec.environment, AWS_LAMBDA_INITIALIZATION_TYPE: "provisioned-concurrency" }
      })

      const starts = new Starts(
        (lane, spec, awaited) =>
          awaited
            ? Effect.onError(keeper.start(spec), (cause) => Effect.sync(() => note(lane, Exit.failCause(cause))))
            : // Tried again and again while an engine is away, so that it would keep callers out when it is back.
              keeper.start(asProvisioned(spec)),
        fork
      )

      const hands: Hands = {
        fork,
        start: (lane, spec) => starts.request(lane, spec),
        hurry: (lane) => starts.hurry(lane),
        forget: (lane) => starts.forget(lane),
        destroy: (worker) => void fork(keeper.destroy(worker)),
        freeze: (lane, worker) =>
          void fork(
            Effect.map(keeper.freeze(worker), (change) =>
              // Frozen or not, it is thawed before it is used.
              change === "useless" ? lane.lose(worker) : undefined
            )
          )
      }

      const laneOf = (spec: FunctionSpec): Lane => {
        const wanted = workerSpec(spec)
        const lane = lanes.get(spec.name)
        if (lane === undefined) {
          const opened = new Lane(spec, wanted, limits(spec), hands, clock)
          lanes.set(spec.name, opened)
          foundlings.settle(opened)
          return opened
        }
        // A call that was under way when its function changed must not change it back.
        if (lane.spec !== spec && !superseded.has(spec)) {
          superseded.add(lane.spec)
          lane.change(spec, wanted, limits(spec))
        }
        return lane
      }

      const note = (lane: Lane, exit: Exit.Exit<unknown, unknown>): void => {
        if (Exit.isSuccess(exit)) {
          lane.breaker = Breaker.succeeded(lane.breaker)
        } else if (CallEnd.sleeperIn(exit) !== undefined) {
          lane.breaker = Breaker.undecided(lane.breaker, lane.now(), options.breaker)
        } else if (CallEnd.isPlatformFailure(exit) && runtime.isReachable()) {
          lane.breaker = Breaker.failed(lane.breaker, lane.now(), options.breaker)
          if (lane.breaker._tag === "Open") {
            fork(Effect.logWarning(opened(lane.spec.name, lane.breaker.failures, options.breaker)))
          }
        }
      }

      const admit = (lane: Lane): Effect.Effect<void, BreakerOpen> => {
        const [breaker, admission] = Breaker.admit(lane.breaker, lane.now(), options.breaker)
        lane.breaker = breaker
        return admission._tag === "Admitted"
          ? Effect.void
          : Effect.fail(
              new BreakerOpen({
                functionName: lane.spec.name,
                failures: admission.failures,
                retryAfterSeconds: Math.max(1, Math.ceil(admission.retryAfterMs / 1000))
              })
            )
      }

      /** A frozen worker must run again, by its call or before, and a dead one is no worker: then another is asked for. */
      const obtain = Effect.fnUntraced(function* (
        lane: Lane,
        ticket: Ticket
      ): Effect.fn.Return<LentWorker, BorrowFailure> {
        while (true) {
          yield* lane.wait(ticket)
          const worker = ticket.worker
          if (worker === undefined) {
            continue
          }
          const alive = client.isAlive(worker)
          const thawed = alive && ticket.frozen ? yield* keeper.thaw(worker) : "done"
          if (alive && (thawed === "done" || thawed === "left")) {
            ticket.taken = true
            return thawed === "left" ? { ...worker, isFrozen: true } : worker
          }
          ticket.worker = undefined
          partWith(lane, worker, thawed === "away" || undefined)
        }
      })

      /** What becomes of the worker of a call that has ended, or that never was. */
      const takeBack = (lane: Lane, ticket: Ticket, exit: Exit.Exit<unknown, unknown>): void => {
        const { taken, worker } = ticket
        if (taken) {
          note(lane, exit)
        }
        const sleeper = CallEnd.sleeperIn(exit)
        if (worker !== undefined && sleeper !== undefined) {
          fork(Effect.logWarning(`worker ${worker.name} could not be thawed: ${sleeper.detail}`))
          partWith(lane, worker, sleeper.notThawed === "away" || undefined)
        } else if (worker !== undefined && CallEnd.isLostCall(exit)) {
          foundlings.lookAfter(worker)
        } else if (worker !== undefined && CallEnd.metNobody(exit)) {
          partWith(lane, worker)
        } else {
          lane.close(ticket, Exit.isSuccess(exit))
        }
      }

      const borrow = Effect.fnUntraced(function* (spec: FunctionSpec) {
        const lane = laneOf(spec)
        yield* admit(lane)
        const ticket = yield* Effect.acquireRelease(
          Effect.sync(() => lane.ticket()),
          (ticket, exit) => Effect.sync(() => takeBack(lane, ticket, exit))
        )
        return yield* obtain(lane, ticket)
      })

      const reconcile = (specs: ReadonlyArray<FunctionSpec>) =>
        Effect.sync(() => {
          const names = new Set(specs.map((spec) => spec.name))
          for (const spec of specs) {
            laneOf(spec).tidy()
          }
          for (const [name, lane] of lanes) {
            if (!names.has(name)) {
              lane.retire()
            }
          }
          foundlings.settleRest()
        })

      const tidy = Effect.sync(() => {
        for (const [name, lane] of lanes) {
          // A worker that died while it rested is found here, or by the next caller who would get it.
          for (const { worker } of lane.state.idle) {
            if (!client.isAlive(worker)) {
              lane.lose(worker)
            }
          }
          lane.tidy()
          if (lane.isSpent()) {
            lanes.delete(name)
          }
        }
      })

      return WorkerPool.of({
        borrow,
        reconcile,
        tidy,
        sweep: foundlings.sweep,
        status: Effect.sync(() =>
          [...lanes.values()]
            .map((lane) => ({
              functionName: lane.spec.name,
              idle: lane.state.idle.length,
              busy: lane.state.busy.size,
              starting: lane.state.starting,
              waiting: lane.state.waiting.length,
              minCapacity: lane.state.limits.minCapacity,
              maxCapacity: lane.state.limits.maxCapacity,
              acquireTimeoutMs: lane.spec.scaling.acquireTimeoutMs
            }))
            .toSorted((a, b) => (a.functionName < b.functionName ? -1 : 1))
        )
      })
    })
  )
