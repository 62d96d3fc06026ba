/** Calls whose end nobody saw, because the way to their engine broke: what becomes of their workers, and of later callers. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { RuntimeUnavailable, WorkerExited, WorkerUnreachable } from "#domain/Failure"
import type { FunctionSpec } from "#domain/FunctionSpec"
import type { Worker } from "#domain/Worker"
import { lostError } from "#domain/WorkerExit"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import type { WorkerPool } from "#services/WorkerPool"
import {
  containers,
  engine,
  gateway,
  hold,
  invocationOf,
  options,
  orders,
  owner,
  scaled,
  statusOf
} from "#test/support/Pools"

const callMs = 1_000
/** How often the pools look at containers that cannot be adopted yet. */
const lookMs = 500

const functions = { orders: { effect: () => Effect.as(Effect.sleep(callMs), "ok") } }

const withEngine = <A, E>(
  test: Effect.Effect<A, E, ContainerRuntime | WorkerClient | Scope.Scope>,
  inTheWay?: Parameters<typeof engine>[1]
) => test.pipe(Effect.scoped, Effect.provide(engine(functions, inTheWay)))

const lost = ({ functionName, id }: Worker) =>
  new WorkerExited({
    functionName,
    containerId: id,
    requestId: "r",
    logTail: new Uint8Array(),
    ...lostError("r", "the connection broke")
  })

/** Begins a call that runs on in its worker when the way there breaks, which is at once. */
const lose = (pool: WorkerPool["Service"], spec: FunctionSpec) =>
  Effect.gen(function* () {
    const client = yield* WorkerClient
    const worker = yield* pool.borrow(spec)
    yield* Effect.forkDetach(client.send(worker, invocationOf(worker)), { startImmediately: true })
    return yield* lost(worker)
  }).pipe(Effect.scoped, Effect.flip)

const one = scaled({ maxCapacity: 1 })

describe("A worker whose call was lost on the way", () => {
  it.effect("is lent again when that call has ended, and not before", () =>
    withEngine(
      Effect.gen(function* () {
        const { pool, within } = yield* gateway()
        yield* lose(pool, one)
        const [worker] = yield* containers
        assert.deepInclude(yield* within(statusOf("orders")), { busy: 1, idle: 0, starting: 0 })
        const caller = yield* within(hold(one))
        yield* TestClock.adjust(lookMs)
        assert.isFalse(yield* Deferred.isDone(caller.got))
        yield* TestClock.adjust(callMs)
        assert.strictEqual(yield* Deferred.await(caller.got), worker?.id)
        yield* Deferred.succeed(caller.enough, undefined)
        yield* Fiber.join(caller.fiber)
        assert.deepInclude(yield* within(statusOf("orders")), { busy: 0, idle: 1 })
      })
    )
  )

  it.effect("is replaced when it is gone", () =>
    withEngine(
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const { pool, within } = yield* gateway()
        yield* lose(pool, one)
        const [worker] = yield* containers
        assert(worker !== undefined)
        yield* runtime.destroy(worker.id, owner)
        const caller = yield* within(hold(one))
        yield* TestClock.adjust(lookMs)
        assert.notStrictEqual(yield* Deferred.await(caller.got), worker.id)
      })
    )
  )

  it.effect("goes after its call when its function has changed meanwhile", () =>
    withEngine(
      Effect.gen(function* () {
        const { pool } = yield* gateway()
        yield* lose(pool, orders)
        yield* pool.reconcile([{ ...orders, image: "orders:2" }])
        yield* TestClock.adjust(lookMs)
        assert.strictEqual((yield* containers).length, 1)
        yield* TestClock.adjust(callMs)
        assert.deepStrictEqual(yield* containers, [])
      })
    )
  )

  it.effect("does not count against its function", () =>
    withEngine(
      Effect.gen(function* () {
        const { pool } = yield* gateway()
        const many = scaled({ maxCapacity: 10 })
        for (let call = 0; call <= options.breaker.threshold; call++) yield* lose(pool, many)
        yield* Effect.scoped(pool.borrow(many))
      })
    )
  )
})

describe("An engine that is away", () => {
  it.effect("does not count against a function, which is called again as soon as it is back", () => {
    let isAway = true
    return withEngine(
      Effect.gen(function* () {
        const { pool } = yield* gateway()
        for (let call = 0; call <= options.breaker.threshold; call++) {
          assert.strictEqual((yield* Effect.flip(Effect.scoped(pool.borrow(orders))))._tag, "RuntimeUnavailable")
        }
        isAway = false
        yield* Effect.scoped(pool.borrow(orders))
      }),
      (runtime) => ({
        ensure: (spec, of) =>
          isAway ? Effect.fail(new RuntimeUnavailable({ detail: "nobody answers" })) : runtime.ensure(spec, of),
        isReachable: () => !isAway
      })
    )
  })

  it.effect("costs no worker: whoever was called in vain is lent again when it is back", () => {
    let isAway = false
    return withEngine(
      Effect.gen(function* () {
        const { pool, within } = yield* gateway()
        const meetNobody = Effect.gen(function* () {
          const { id: containerId } = yield* pool.borrow(one)
          isAway = true
          return yield* new WorkerUnreachable({ containerId, detail: "nobody answers" })
        })
        const failure = yield* Effect.flip(Effect.scoped(meetNobody))
        assert(failure._tag === "WorkerUnreachable")
        yield* TestClock.adjust(3 * lookMs)
        assert.deepInclude(yield* within(statusOf("orders")), { busy: 1, idle: 0, starting: 0 })
        isAway = false
        yield* TestClock.adjust(lookMs)
        assert.deepInclude(yield* within(statusOf("orders")), { busy: 0, idle: 1, starting: 0 })
        assert.strictEqual((yield* Effect.scoped(pool.borrow(one))).id, failure.containerId)
      }),
      (runtime) => ({
        list: (of) => (isAway ? Effect.fail(new RuntimeUnavailable({ detail: "nobody answers" })) : runtime.list(of)),
        destroy: (id, of) =>
          isAway ? Effect.fail(new RuntimeUnavailable({ detail: "nobody answers" })) : runtime.destroy(id, of),
        isReachable: () => !isAway
      })
    )
  })

  it.effect("does not count either where only its Agent cannot reach it", () =>
    withEngine(
      Effect.gen(function* () {
        const { pool } = yield* gateway()
        for (let call = 0; call <= options.breaker.threshold; call++) {
          assert.strictEqual((yield* Effect.flip(Effect.scoped(pool.borrow(orders))))._tag, "RuntimeUnavailable")
        }
      }),
      () => ({ ensure: () => Effect.fail(new RuntimeUnavailable({ detail: "the engine is silent", isAway: true })) })
    )
  )

  it.effect("neither freezes nor thaws a worker, and costs none", () => {
    let isAway = true
    const failure = new RuntimeUnavailable({ detail: "the engine is silent", isAway: true })
    return withEngine(
      Effect.gen(function* () {
        const { pool, within } = yield* gateway()
        const { id } = yield* Effect.scoped(pool.borrow(one))
        yield* TestClock.adjust(2 * (options.freezeAfterMs ?? 0))
        yield* pool.tidy
        assert.deepInclude(yield* within(statusOf("orders")), { idle: 1 })
        isAway = false
        assert.strictEqual((yield* Effect.scoped(pool.borrow(one))).id, id)
        yield* TestClock.adjust(2 * (options.freezeAfterMs ?? 0))
        yield* pool.tidy
        isAway = true
        const caller = yield* within(hold(one))
        yield* TestClock.adjust(lookMs)
        assert.isFalse(yield* Deferred.isDone(caller.got))
        isAway = false
        yield* TestClock.adjust(lookMs)
        assert.strictEqual(yield* Deferred.await(caller.got), id)
      }),
      (runtime) => ({
        suspend: (id, of) => (isAway ? Effect.fail(failure) : runtime.suspend(id, of)),
        resume: (id, of) => (isAway ? Effect.fail(failure) : runtime.resume(id, of))
      })
    )
  })

  it.effect("keeps nobody longer than a call may wait for a worker, while that is found again and again", () => {
    const failure = new RuntimeUnavailable({ detail: "the engine is silent", isAway: true })
    return withEngine(
      Effect.gen(function* () {
        const { pool } = yield* gateway()
        yield* Effect.scoped(pool.borrow(one))
        yield* TestClock.adjust(2 * (options.freezeAfterMs ?? 0))
        yield* pool.tidy
        const caller = yield* Effect.forkChild(Effect.flip(Effect.scoped(pool.borrow(one))))
        yield* TestClock.adjust(one.scaling.acquireTimeoutMs - 1)
        assert.isUndefined(caller.pollUnsafe())
        yield* TestClock.adjust(1)
        assert.strictEqual((yield* Fiber.join(caller))._tag, "PoolExhausted")
      }),
      () => ({ resume: () => Effect.fail(failure) })
    )
  })

  it.effect("is another thing than one that answers and fails", () =>
    withEngine(
      Effect.gen(function* () {
        const { pool } = yield* gateway()
        for (let call = 0; call < options.breaker.threshold; call++) {
          assert.strictEqual((yield* Effect.flip(Effect.scoped(pool.borrow(orders))))._tag, "RuntimeUnavailable")
        }
        assert.strictEqual((yield* Effect.flip(Effect.scoped(pool.borrow(orders))))._tag, "BreakerOpen")
      }),
      () => ({ ensure: () => Effect.fail(new RuntimeUnavailable({ detail: "the disk is full" })) })
    )
  )
})
