import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, FiberSet, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { RuntimeUnavailable } from "#domain/Failure"
import type { FunctionSpec } from "#domain/FunctionSpec"
import type { ContainerId, OwnerId, Worker } from "#domain/Worker"
import * as MemoryWorkers from "#layers/memory/MemoryWorkers"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import {
  containers,
  engine as engineOf,
  gateway,
  hold,
  invocationOf,
  named,
  orders,
  owner,
  scaled,
  settle,
  statusOf
} from "#test/support/Pools"

const callMs = 1000
const initMs = 300
/** How often the pools look at containers that cannot be adopted yet. */
const lookMs = 500

const functions = {
  orders: { effect: () => Effect.as(Effect.sleep(callMs), "ok") },
  slow: { init: () => Effect.sleep(initMs), handler: () => "ok" },
  broken: { init: () => Effect.andThen(Effect.sleep(initMs), Effect.fail(new TypeError("no"))), handler: () => "never" }
}

const engine = (inTheWay?: Parameters<typeof engineOf>[1]) => engineOf(functions, inTheWay)

type Engine = ContainerRuntime | WorkerClient | MemoryWorkers.MemoryWorkers

const withEngine = <A, E>(test: Effect.Effect<A, E, Engine | Scope.Scope>, over = engine()) =>
  test.pipe(Effect.scoped, Effect.provide(over))

const ids = Effect.map(containers, (found) => found.map(({ id }) => id))

/** What a Gateway leaves that ran these functions: one worker each, which has rested for a while. */
const leave = Effect.fnUntraced(function* (...specs: ReadonlyArray<FunctionSpec>) {
  const earlier = yield* gateway()
  const workers = yield* Effect.forEach(specs, (spec) => earlier.pool.borrow(spec)).pipe(Effect.scoped)
  yield* earlier.stop
  yield* settle
  return workers
})

/** A call that the Gateway who began it does not live to see the end of. */
const call = Effect.fnUntraced(function* (worker: Worker) {
  const client = yield* WorkerClient
  const fiber = yield* Effect.forkScoped(client.send(worker, invocationOf(worker)))
  yield* settle
  return fiber
})

describe("WorkerPool, over an engine that outlives its Gateway", () => {
  it.effect("leaves its workers for the next Gateway, which calls them again", () =>
    withEngine(
      Effect.gen(function* () {
        const [left] = yield* leave(orders)
        const { pool } = yield* gateway()
        yield* pool.reconcile([orders])
        const worker = yield* Effect.scoped(pool.borrow(orders))
        assert.strictEqual(worker.id, left?.id)
        assert.deepStrictEqual(yield* ids, [worker.id])
      })
    )
  )

  it.effect("does not make its first caller wait for the functions to be reconciled", () =>
    withEngine(
      Effect.gen(function* () {
        const [left] = yield* leave(orders)
        const { pool } = yield* gateway()
        assert.strictEqual((yield* Effect.scoped(pool.borrow(orders))).id, left?.id)
      })
    )
  )

  it.effect("takes over a frozen worker frozen, and thaws it for its next call", () =>
    withEngine(
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const [left] = yield* leave(orders)
        assert(left !== undefined)
        yield* runtime.suspend(left.id, owner)
        const { pool } = yield* gateway()
        yield* pool.reconcile([orders])
        assert.deepStrictEqual(
          (yield* containers).map(({ status }) => status),
          ["PAUSED"]
        )
        const worker = yield* Effect.scoped(pool.borrow(orders))
        assert.strictEqual(worker.id, left.id)
        assert.deepStrictEqual(
          (yield* containers).map(({ status }) => status),
          ["RUNNING"]
        )
      })
    )
  )

  it.effect("lets a call of the earlier Gateway end, and gives its worker to the caller who waits", () =>
    withEngine(
      Effect.gen(function* () {
        const one = scaled({ maxCapacity: 1 })
        const [left] = yield* leave(one)
        assert(left !== undefined)
        const under = yield* call(left)
        const { pool, within } = yield* gateway()
        yield* pool.reconcile([one])
        assert.deepInclude(yield* within(statusOf("orders")), { busy: 1, idle: 0, starting: 0 })
        const caller = yield* within(hold(one))
        assert.isFalse(yield* Deferred.isDone(caller.got))
        yield* TestClock.adjust(callMs)
        assert.strictEqual((yield* Fiber.join(under)).errorType, undefined)
        yield* TestClock.adjust(lookMs)
        assert.strictEqual(yield* Deferred.await(caller.got), left.id)
        assert.deepStrictEqual(yield* ids, [left.id])
      })
    )
  )

  it.effect("starts another worker for the caller who waits when the earlier call ends badly", () =>
    withEngine(
      Effect.gen(function* () {
        const workers = yield* MemoryWorkers.MemoryWorkers
        const one = scaled({ maxCapacity: 1 })
        const [left] = yield* leave(one)
        assert(left !== undefined)
        yield* Effect.forkScoped(Effect.exit(Effect.flatMap(call(left), Fiber.join)))
        yield* settle
        const { pool, within } = yield* gateway()
        yield* pool.reconcile([one])
        const caller = yield* within(hold(one))
        yield* workers.kill(left.id)
        yield* TestClock.adjust(lookMs)
        yield* settle
        const got = yield* Deferred.await(caller.got)
        assert.notStrictEqual(got, left.id)
        assert.deepStrictEqual(yield* ids, [got as ContainerId])
      })
    )
  )

  it.effect("waits for a worker that the earlier Gateway has only just started", () =>
    withEngine(
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const slow = named("slow")
        const [ready] = yield* Effect.all([leave(slow), TestClock.adjust(initMs)], { concurrency: 2 })
        const [left] = ready
        assert(left !== undefined)
        const young = yield* runtime.ensure(
          {
            functionName: slow.name,
            image: slow.image,
            environment: { AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "128", AWS_LAMBDA_FUNCTION_TIMEOUT: "3" },
            specHash: left.specHash
          },
          owner
        )
        const { pool, within } = yield* gateway()
        yield* pool.reconcile([slow])
        assert.deepInclude(yield* within(statusOf("slow")), { idle: 1, busy: 1 })
        yield* TestClock.adjust(lookMs)
        assert.deepInclude(yield* within(statusOf("slow")), { idle: 2, busy: 0 })
        assert.sameMembers(yield* ids, [left.id, young.id])
      })
    )
  )

  it.effect("waits as long as a call may take for a worker whose calls nobody sees, unless it is frozen", () => {
    const spec: FunctionSpec = { ...orders, timeoutMs: 4 * lookMs }
    const emulated = engine((runtime) => ({
      list: (of) => Effect.map(runtime.list(of), (states) => states.map((state) => ({ ...state, protocol: "rie" })))
    }))
    return withEngine(
      Effect.gen(function* () {
        const [left] = yield* leave(spec)
        const { pool, stop, within } = yield* gateway()
        yield* pool.reconcile([spec])
        yield* TestClock.adjust(3 * lookMs)
        assert.deepInclude(yield* within(statusOf("orders")), { busy: 1, idle: 0 })
        yield* TestClock.adjust(2 * lookMs)
        assert.deepInclude(yield* within(statusOf("orders")), { busy: 0, idle: 1 })
        yield* stop
        const runtime = yield* ContainerRuntime
        yield* runtime.suspend(left?.id ?? assert.fail("no worker"), owner)
        const next = yield* gateway()
        yield* next.pool.reconcile([spec])
        assert.deepInclude(yield* next.within(statusOf("orders")), { busy: 0, idle: 1 })
      }),
      emulated
    )
  })

  it.effect("destroys what is spoilt or has ended", () =>
    withEngine(
      Effect.gen(function* () {
        const workers = yield* MemoryWorkers.MemoryWorkers
        const two = scaled({ maxCapacity: 3 })
        const [ended, spoilt, good] = yield* leave(two, two, two)
        assert(ended !== undefined && spoilt !== undefined && good !== undefined)
        yield* workers.kill(ended.id)
        yield* Effect.flatMap(call(spoilt), Fiber.interrupt)
        const { pool } = yield* gateway()
        yield* pool.reconcile([two])
        yield* settle
        assert.deepStrictEqual(yield* ids, [good.id])
      })
    )
  )

  it.effect("asks the client, too, whether a worker is alive", () =>
    withEngine(
      Effect.gen(function* () {
        const client = yield* WorkerClient
        const [left] = yield* leave(orders)
        const { pool } = yield* gateway().pipe(
          Effect.provideService(WorkerClient, { ...client, isAlive: ({ id }) => id !== left?.id })
        )
        yield* pool.reconcile([orders])
        yield* settle
        assert.deepStrictEqual(yield* ids, [])
      })
    )
  )

  it.effect("destroys workers of a function that has changed, a busy one when its call has ended", () =>
    withEngine(
      Effect.gen(function* () {
        const [idle, busy] = yield* leave(orders, orders)
        assert(idle !== undefined && busy !== undefined)
        const under = yield* call(busy)
        const changed = { ...orders, image: "orders:2" }
        const { pool, within } = yield* gateway()
        yield* pool.reconcile([changed])
        yield* settle
        assert.deepStrictEqual(yield* ids, [busy.id])
        assert.deepInclude(yield* within(statusOf("orders")), { idle: 0, busy: 0 })
        const fresh = yield* Effect.scoped(pool.borrow(changed))
        yield* TestClock.adjust(callMs)
        yield* Fiber.join(under)
        yield* TestClock.adjust(lookMs)
        yield* settle
        assert.deepStrictEqual(yield* ids, [fresh.id])
      })
    )
  )

  it.effect("destroys workers of functions that are gone, a busy one when its call has ended", () =>
    withEngine(
      Effect.gen(function* () {
        const [idle, busy] = yield* leave(orders, orders)
        assert(idle !== undefined && busy !== undefined)
        const under = yield* call(busy)
        const { pool } = yield* gateway()
        yield* settle
        assert.strictEqual((yield* ids).length, 2)
        yield* pool.reconcile([named("slow")])
        yield* settle
        assert.deepStrictEqual(yield* ids, [busy.id])
        yield* TestClock.adjust(callMs)
        yield* Fiber.join(under)
        yield* TestClock.adjust(lookMs)
        yield* settle
        assert.deepStrictEqual(yield* ids, [])
      })
    )
  )

  it.effect("keeps no more than the maximum, and of those the ones used last", () =>
    withEngine(
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const three = scaled({ maxCapacity: 3 })
        const [a, b, c] = yield* leave(three, three, three)
        assert(a !== undefined && b !== undefined && c !== undefined)
        yield* TestClock.adjust(1000)
        yield* Effect.forEach([c, a], ({ id }) => runtime.touch(id, owner))
        const { pool } = yield* gateway()
        yield* pool.reconcile([orders])
        yield* settle
        assert.sameMembers(yield* ids, [a.id, c.id])
      })
    )
  )

  it.effect("lets the call of a worker that is one too many end before it destroys it", () =>
    withEngine(
      Effect.gen(function* () {
        const [a, b] = yield* leave(orders, orders)
        assert(a !== undefined && b !== undefined)
        const calls = yield* Effect.forEach([a, b], call)
        const { pool, within } = yield* gateway()
        const one = scaled({ maxCapacity: 1 })
        yield* pool.reconcile([one])
        assert.deepInclude(yield* within(statusOf("orders")), { busy: 1 })
        yield* TestClock.adjust(callMs)
        yield* Effect.forEach(calls, Fiber.join)
        yield* TestClock.adjust(lookMs)
        yield* settle
        assert.strictEqual((yield* ids).length, 1)
        assert.deepInclude(yield* within(statusOf("orders")), { busy: 0, idle: 1 })
      })
    )
  )

  it.effect("counts what it took over in the minimum", () =>
    withEngine(
      Effect.gen(function* () {
        const kept = scaled({ minCapacity: 2, maxCapacity: 3 })
        const [idle, busy] = yield* leave(kept, kept)
        assert(idle !== undefined && busy !== undefined)
        yield* call(busy)
        const { pool, within } = yield* gateway()
        yield* pool.reconcile([kept])
        yield* settle
        assert.deepInclude(yield* within(statusOf("orders")), { idle: 1, busy: 1, starting: 0 })
        assert.sameMembers(yield* ids, [idle.id, busy.id])
      })
    )
  )

  it.effect("goes on counting how long a worker has rested", () =>
    withEngine(
      Effect.gen(function* () {
        yield* leave(orders)
        yield* TestClock.adjust(50_000)
        const { pool } = yield* gateway({ freezeAfterMs: undefined })
        yield* pool.reconcile([orders])
        yield* TestClock.adjust(9_000)
        yield* pool.tidy
        yield* settle
        assert.strictEqual((yield* ids).length, 1)
        yield* TestClock.adjust(1_000)
        yield* pool.tidy
        yield* settle
        assert.deepStrictEqual(yield* ids, [])
      })
    )
  )

  it.effect("sees nothing of what belongs to another owner", () =>
    withEngine(
      Effect.gen(function* () {
        const [left] = yield* leave(orders)
        const { pool } = yield* gateway({ owner: "another" as OwnerId })
        yield* pool.reconcile([])
        yield* TestClock.adjust(60_000)
        yield* pool.sweep
        const worker = yield* Effect.scoped(pool.borrow(orders))
        assert.notStrictEqual(worker.id, left?.id)
        assert.deepStrictEqual(yield* ids, [left?.id])
      })
    )
  )

  it.effect("does not leave a worker whose call was cut", () =>
    withEngine(
      Effect.gen(function* () {
        const earlier = yield* gateway()
        const [cut, idle] = yield* Effect.all([earlier.within(hold(orders)), earlier.within(hold(orders))])
        yield* Deferred.succeed(idle.enough, undefined)
        const left = yield* Fiber.join(idle.fiber)
        yield* Fiber.interrupt(cut.fiber)
        yield* earlier.stop
        assert.deepStrictEqual(yield* ids, [left as ContainerId])
      })
    )
  )
})

const down = new RuntimeUnavailable({ detail: "the Agent does not answer" })

describe("WorkerPool, over an engine that cannot always be reached", () => {
  it.effect("starts without what it could not list, and finds it by the sweep", () => {
    let isDown = false
    const over = engine((runtime) => ({ list: (whose) => (isDown ? Effect.fail(down) : runtime.list(whose)) }))
    return withEngine(
      Effect.gen(function* () {
        const [left] = yield* leave(orders)
        isDown = true
        const { pool, within } = yield* gateway()
        yield* pool.reconcile([orders])
        yield* settle
        assert.deepInclude(yield* within(statusOf("orders")), { idle: 0 })
        isDown = false
        yield* pool.sweep
        assert.deepInclude(yield* within(statusOf("orders")), { idle: 0 })
        yield* TestClock.adjust(59_000)
        yield* pool.sweep
        assert.deepInclude(yield* within(statusOf("orders")), { idle: 0 })
        yield* TestClock.adjust(1_000)
        yield* pool.sweep
        assert.deepInclude(yield* within(statusOf("orders")), { idle: 1 })
        assert.strictEqual((yield* Effect.scoped(pool.borrow(orders))).id, left?.id)
      }),
      over
    )
  })

  it.effect("waits no longer than two seconds for the list", () =>
    withEngine(
      Effect.gen(function* () {
        const starting = yield* Effect.forkScoped(gateway())
        yield* settle
        yield* TestClock.adjust(1_999)
        assert.isUndefined(starting.pollUnsafe())
        yield* TestClock.adjust(1)
        const { pool } = yield* Fiber.join(starting)
        yield* Effect.scoped(pool.borrow(orders))
      }),
      engine(() => ({ list: () => Effect.never }))
    )
  )

  it.effect("goes on waiting for a call while the engine cannot be asked", () => {
    let isDown = false
    const over = engine((runtime) => ({ list: (whose) => (isDown ? Effect.fail(down) : runtime.list(whose)) }))
    return withEngine(
      Effect.gen(function* () {
        const [left] = yield* leave(orders)
        assert(left !== undefined)
        yield* call(left)
        const { pool, within } = yield* gateway()
        yield* pool.reconcile([orders])
        isDown = true
        yield* TestClock.adjust(2 * callMs)
        assert.deepInclude(yield* within(statusOf("orders")), { busy: 1, idle: 0 })
        isDown = false
        yield* TestClock.adjust(lookMs)
        assert.deepInclude(yield* within(statusOf("orders")), { busy: 0, idle: 1 })
        assert.strictEqual((yield* ids).length, 1)
      }),
      over
    )
  })

  it.effect("takes a worker back that it could not destroy, once it is seen to rest", () => {
    let isDown = false
    const over = engine((runtime) => ({
      destroy: (id, whose) => (isDown ? Effect.fail(down) : runtime.destroy(id, whose))
    }))
    return withEngine(
      Effect.gen(function* () {
        const { pool, within } = yield* gateway()
        yield* pool.reconcile([orders])
        isDown = true
        const lost = yield* Effect.scoped(pool.borrow(orders)).pipe(
          Effect.tap(() => TestClock.adjust(60_000)),
          Effect.tap(() => Effect.andThen(pool.tidy, settle))
        )
        assert.deepInclude(yield* within(statusOf("orders")), { idle: 0 })
        isDown = false
        yield* Effect.flatMap(ContainerRuntime, (runtime) => runtime.touch(lost.id, owner))
        yield* pool.sweep
        assert.deepInclude(yield* within(statusOf("orders")), { idle: 1 })
        assert.strictEqual((yield* Effect.scoped(pool.borrow(orders))).id, lost.id)
      }),
      over
    )
  })

  it.effect("leaves a busy container of no pool alone until its call has ended", () =>
    withEngine(
      Effect.gen(function* () {
        const { pool, within } = yield* gateway()
        yield* pool.reconcile([orders])
        const [lost] = yield* leave(orders)
        assert(lost !== undefined)
        yield* TestClock.adjust(60_000)
        yield* call(lost)
        yield* pool.sweep
        yield* settle
        assert.deepInclude(yield* within(statusOf("orders")), { idle: 0, busy: 1 })
        yield* TestClock.adjust(callMs + lookMs)
        assert.deepInclude(yield* within(statusOf("orders")), { idle: 1, busy: 0 })
        assert.deepStrictEqual(yield* ids, [lost.id])
      })
    )
  )

  it.effect("does not wait for a worker that is out of sight, and finds it again by the sweep", () => {
    let hidden: ContainerId | undefined
    const over = engine((runtime) => ({
      list: (whose) => Effect.map(runtime.list(whose), (all) => all.filter(({ id }) => id !== hidden))
    }))
    return withEngine(
      Effect.gen(function* () {
        const two = scaled({ maxCapacity: 2 })
        const [left] = yield* leave(two)
        assert(left !== undefined)
        yield* call(left)
        const { pool, within } = yield* gateway({ orphanGraceMs: 0 })
        const one = scaled({ maxCapacity: 1 })
        yield* pool.reconcile([one])
        const caller = yield* within(hold(one))
        hidden = left.id
        yield* TestClock.adjust(lookMs)
        const got = yield* Deferred.await(caller.got)
        assert.notStrictEqual(got, left.id)
        hidden = undefined
        assert.include(yield* ids, left.id)
        yield* pool.reconcile([two])
        yield* pool.sweep
        assert.deepInclude(yield* within(statusOf("orders")), { busy: 2, idle: 0 })
        yield* TestClock.adjust(callMs + lookMs)
        assert.deepInclude(yield* within(statusOf("orders")), { busy: 1, idle: 1 })
      }),
      over
    )
  })

  it.effect("does not take a container over that went while the engine was listing it", () => {
    const answered = Deferred.makeUnsafe<void>()
    let isSlow = false
    const over = engine((runtime) => ({
      list: (whose) => Effect.tap(runtime.list(whose), () => (isSlow ? Deferred.await(answered) : Effect.void))
    }))
    return withEngine(
      Effect.gen(function* () {
        const client = yield* WorkerClient
        const { workers } = yield* MemoryWorkers.MemoryWorkers
        const { pool, within } = yield* gateway().pipe(
          Effect.provideService(WorkerClient, { ...client, isAlive: () => true })
        )
        const held = yield* within(hold(orders))
        yield* TestClock.adjust(60_000)
        isSlow = true
        const sweeping = yield* Effect.forkScoped(pool.sweep)
        yield* settle
        yield* Fiber.interrupt(held.fiber)
        yield* settle
        assert.strictEqual(workers.size, 0)
        yield* Deferred.succeed(answered, undefined)
        yield* Fiber.join(sweeping)
        assert.deepInclude(yield* within(statusOf("orders")), { idle: 0, busy: 0 })
      }),
      over
    )
  })

  it.effect("does not take a container over whose own start has not been answered yet", () => {
    const answered = Deferred.makeUnsafe<void>()
    const over = engine((runtime) => ({
      ensure: (spec, whose) => Effect.tap(runtime.ensure(spec, whose), () => Deferred.await(answered))
    }))
    return withEngine(
      Effect.gen(function* () {
        const { pool, within } = yield* gateway()
        yield* pool.reconcile([orders])
        const caller = yield* within(hold(orders))
        assert.strictEqual((yield* ids).length, 1)
        yield* TestClock.adjust(3_600_000)
        yield* pool.sweep
        yield* settle
        assert.deepInclude(yield* within(statusOf("orders")), { idle: 0, busy: 0, starting: 1 })
        assert.strictEqual((yield* ids).length, 1)
        yield* Deferred.succeed(answered, undefined)
        yield* Deferred.await(caller.got)
        assert.deepInclude(yield* within(statusOf("orders")), { idle: 0, busy: 1, starting: 0 })
      }),
      over
    )
  })
})

/** An engine that fails to destroy now and then, whose answers take turns, and whose clock is an hour behind: nothing looks young. */
const slowEngine = () => {
  let calls = 0
  const late = <A, E>(answer: Effect.Effect<A, E>) =>
    Effect.tap(answer, () =>
      Effect.forEach(Array.from({ length: calls++ % 7 }), () => Effect.yieldNow, { discard: true })
    )
  return engine((runtime) => ({
    ensure: (spec, whose) => late(runtime.ensure(spec, whose)),
    destroy: (id, whose) =>
      calls++ % 5 === 0 ? late(Effect.fail(down)) : Effect.andThen(late(Effect.void), late(runtime.destroy(id, whose))),
    list: (whose) =>
      late(
        Effect.map(runtime.list(whose), (found) =>
          found.map((container) => ({ ...container, createdAtUnixSeconds: container.createdAtUnixSeconds - 3600 }))
        )
      )
  }))
}

describe("WorkerPool, whatever happens to it", () => {
  const Move = Schema.Struct({
    kind: Schema.Literals(["borrow", "cut", "reconcile", "change", "tidy", "sweep", "wait", "restart"]),
    pick: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 }))
  })

  it.effect.prop(
    "gives no worker to two callers and loses none",
    [Schema.Array(Move)],
    ([moves]) =>
      withEngine(
        Effect.gen(function* () {
          const versions = [scaled({ maxCapacity: 3, minCapacity: 1 }), { ...orders, image: "orders:2" }] as const
          let current: FunctionSpec = versions[0]
          let now = yield* gateway()
          const inUse = new Set<ContainerId>()
          const shared: Array<ContainerId> = []
          const callers = yield* FiberSet.make<unknown, unknown>()
          const background = yield* FiberSet.make<unknown, unknown>()
          const use = (pool: typeof now.pool, spec: FunctionSpec, turns: number) =>
            Effect.gen(function* () {
              const worker = yield* pool.borrow(spec)
              if (inUse.has(worker.id)) {
                shared.push(worker.id)
              }
              yield* Effect.acquireRelease(
                Effect.sync(() => inUse.add(worker.id)),
                () => Effect.sync(() => inUse.delete(worker.id))
              )
              yield* Effect.forEach(Array.from({ length: turns }), () => Effect.yieldNow, { discard: true })
            }).pipe(
              Effect.scoped,
              Effect.catchTag("PoolExhausted", () => Effect.void)
            )
          for (const { kind, pick } of moves) {
            switch (kind) {
              case "borrow":
                yield* FiberSet.run(callers, use(now.pool, current, pick % 11))
                break
              case "cut": {
                const [cut] = [...callers].slice(pick % 3)
                yield* cut === undefined ? Effect.void : Fiber.interrupt(cut)
                break
              }
              case "change":
                current = versions[pick % 2] ?? current
                yield* now.pool.reconcile([current])
                break
              case "reconcile":
                yield* now.pool.reconcile([current])
                break
              case "tidy":
                yield* now.pool.tidy
                break
              case "sweep":
                yield* FiberSet.run(background, now.pool.sweep)
                break
              case "wait":
                yield* TestClock.adjust(pick * 10)
                break
              case "restart":
                yield* FiberSet.clear(callers)
                yield* now.stop
                now = yield* gateway()
                break
            }
            yield* pick % 4 === 0 ? settle : Effect.yieldNow
          }
          yield* FiberSet.clear(callers)
          yield* FiberSet.awaitEmpty(background)
          yield* now.pool.reconcile([current])
          for (const _ of Array.from({ length: 6 })) {
            yield* now.pool.sweep
            yield* settle
            // A container that was seen before it was ready is looked at again, in its time.
            yield* TestClock.adjust("1 second")
          }
          assert.deepStrictEqual(shared, [], "a worker has one caller at a time")
          const rest = yield* now.within(statusOf("orders"))
          assert.deepInclude(rest, { busy: 0, starting: 0, waiting: 0 })
          assert.strictEqual((yield* ids).length, rest?.idle, "every worker rests in the pool")
        }),
        slowEngine()
      ),
    { arbitrary: { runs: 300 } }
  )
})
