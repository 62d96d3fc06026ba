import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import type { FunctionName } from "#domain/FunctionName"
import type { WorkerSpec } from "#domain/Worker"
import * as MemoryContainerRuntime from "#layers/memory/MemoryContainerRuntime"
import * as MemoryWorkerClient from "#layers/memory/MemoryWorkerClient"
import * as MemoryWorkers from "#layers/memory/MemoryWorkers"
import * as LocalWorkerPool from "#layers/pool/LocalWorkerPool"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerPool } from "#services/WorkerPool"
import { containers, exited, hold, options, orders, owner, scaled, settle, statusOf } from "#test/support/Pools"

/** How each worker of `orders` was told it came to be. */
const initialisations: Array<string | undefined> = []

const functions = {
  orders: {
    init: (spec: WorkerSpec) =>
      Effect.sync(() => initialisations.push(spec.environment["AWS_LAMBDA_INITIALIZATION_TYPE"])),
    handler: () => "ok"
  },
  broken: {
    init: () => Effect.fail(new TypeError("no")),
    handler: () => "never"
  }
}

const localPool = LocalWorkerPool.layer(options)

/** An engine that pauses workers and then has forgotten how to go on. */
const neverThaws = Layer.effect(
  ContainerRuntime,
  Effect.map(ContainerRuntime, (runtime) => ({ ...runtime, resume: () => Effect.never }))
).pipe(Layer.provide(MemoryContainerRuntime.layer()))

const poolsOver = (engine: typeof neverThaws) =>
  localPool.pipe(
    Layer.provideMerge(Layer.mergeAll(engine, MemoryWorkerClient.layer)),
    Layer.provideMerge(MemoryWorkers.layer(functions))
  )

const pools = poolsOver(MemoryContainerRuntime.layer())

const withPools = <A, E>(
  test: Effect.Effect<A, E, WorkerPool | ContainerRuntime | MemoryWorkers.MemoryWorkers | Scope.Scope>,
  over = pools
) => test.pipe(Effect.scoped, Effect.provide(over))

describe("WorkerPool", () => {
  it.effect("lends the same worker to one caller after another", () =>
    withPools(
      Effect.gen(function* () {
        const pool = yield* WorkerPool
        const first = yield* Effect.scoped(pool.borrow(orders))
        const second = yield* Effect.scoped(pool.borrow(orders))
        assert.strictEqual(second.id, first.id)
      })
    )
  )

  it.effect("lends a worker to one caller at a time and starts as many as allowed", () =>
    withPools(
      Effect.gen(function* () {
        const a = yield* hold(orders)
        const b = yield* hold(orders)
        assert.notStrictEqual(yield* Deferred.await(a.got), yield* Deferred.await(b.got))
        const third = yield* hold(orders)
        assert.isFalse(yield* Deferred.isDone(third.got))
        yield* Deferred.succeed(a.enough, undefined)
        assert.strictEqual(yield* Deferred.await(third.got), yield* Fiber.join(a.fiber))
      })
    )
  )

  it.effect("refuses a caller who has waited for the function's acquire timeout", () =>
    withPools(
      Effect.gen(function* () {
        yield* hold(orders)
        yield* hold(orders)
        const third = yield* hold(orders)
        yield* TestClock.adjust(2000)
        const failure = yield* Effect.flip(Fiber.join(third.fiber))
        assert.strictEqual(failure._tag, "PoolExhausted")
        assert.strictEqual((yield* statusOf("orders"))?.waiting, 0)
      })
    )
  )

  it.effect("refuses at once when too many wait already", () =>
    withPools(
      Effect.gen(function* () {
        for (const _ of [1, 2, 3, 4]) {
          yield* hold(orders)
        }
        const fifth = yield* hold(orders)
        assert.strictEqual((yield* Effect.flip(Fiber.join(fifth.fiber)))._tag, "PoolExhausted")
      })
    )
  )

  it.effect("forgets a caller who is interrupted while waiting", () =>
    withPools(
      Effect.gen(function* () {
        const a = yield* hold(orders)
        yield* hold(orders)
        const third = yield* hold(orders)
        yield* Fiber.interrupt(third.fiber)
        yield* Deferred.succeed(a.enough, undefined)
        yield* Fiber.join(a.fiber)
        const status = yield* statusOf("orders")
        assert.deepInclude(status, { waiting: 0, idle: 1, busy: 1 })
      })
    )
  )

  it.effect("keeps a worker whose start was for a caller who left", () =>
    withPools(
      Effect.gen(function* () {
        const pool = yield* WorkerPool
        const fiber = yield* Effect.forkScoped(Effect.scoped(pool.borrow(orders)))
        yield* Fiber.interrupt(fiber)
        yield* settle
        assert.isAtMost((yield* statusOf("orders"))?.busy ?? 0, 0)
        assert.strictEqual((yield* containers).length, (yield* statusOf("orders"))?.idle ?? 0)
      })
    )
  )

  it.effect("destroys a worker whose call failed or was interrupted", () =>
    withPools(
      Effect.gen(function* () {
        const pool = yield* WorkerPool
        yield* Effect.exit(Effect.scoped(Effect.andThen(pool.borrow(orders), Effect.fail("no"))))
        yield* settle
        assert.deepStrictEqual(yield* containers, [])
        const held = yield* hold(orders)
        yield* Fiber.interrupt(held.fiber)
        yield* settle
        assert.deepStrictEqual(yield* containers, [])
      })
    )
  )

  it.effect("tells the caller why its function could not be loaded and leaves no worker", () =>
    withPools(
      Effect.gen(function* () {
        const pool = yield* WorkerPool
        const broken = { ...orders, name: "broken" as FunctionName }
        const failure = yield* Effect.flip(Effect.scoped(pool.borrow(broken)))
        assert.strictEqual(failure._tag, "InitFailed")
        yield* settle
        assert.deepStrictEqual(yield* containers, [])
        assert.deepInclude(yield* statusOf("broken"), { idle: 0, busy: 0, starting: 0 })
      })
    )
  )

  it.effect("replaces a worker that died while it rested", () =>
    withPools(
      Effect.gen(function* () {
        const pool = yield* WorkerPool
        const workers = yield* MemoryWorkers.MemoryWorkers
        const first = yield* Effect.scoped(pool.borrow(orders))
        yield* workers.kill(first.id)
        const second = yield* Effect.scoped(pool.borrow(orders))
        assert.notStrictEqual(second.id, first.id)
        yield* settle
        assert.strictEqual((yield* containers).length, 1)
      })
    )
  )

  it.effect("starts the minimum ahead of calls and keeps it", () =>
    withPools(
      Effect.gen(function* () {
        const pool = yield* WorkerPool
        yield* pool.reconcile([scaled({ minCapacity: 2 })])
        yield* settle
        assert.deepInclude(yield* statusOf("orders"), { idle: 2 })
        yield* TestClock.adjust(3_600_000)
        yield* pool.tidy
        yield* settle
        assert.deepInclude(yield* statusOf("orders"), { idle: 2 })
      })
    )
  )

  it.effect("fills up the minimum when one of it died while it rested, without waiting for a call", () =>
    withPools(
      Effect.gen(function* () {
        const pool = yield* WorkerPool
        const workers = yield* MemoryWorkers.MemoryWorkers
        yield* pool.reconcile([scaled({ minCapacity: 2 })])
        yield* settle
        const [first, second] = yield* containers
        assert(first !== undefined && second !== undefined)
        yield* workers.kill(first.id)
        yield* pool.tidy
        yield* settle
        assert.deepInclude(yield* statusOf("orders"), { idle: 2 })
        const ids = (yield* containers).map((container) => container.id)
        assert.strictEqual(ids.length, 2)
        assert.include(ids, second.id)
        assert.notInclude(ids, first.id)
      })
    )
  )

  it.effect("tells a worker of the minimum, and no other, that its concurrency is provisioned", () =>
    withPools(
      Effect.gen(function* () {
        const pool = yield* WorkerPool
        initialisations.length = 0
        const one = scaled({ minCapacity: 1 })
        yield* pool.reconcile([one])
        yield* settle
        yield* hold(one)
        yield* hold(one)
        assert.deepStrictEqual(initialisations, ["provisioned-concurrency", "on-demand"])
      })
    )
  )

  it.effect("freezes a worker that rests, and thaws it for its next call", () =>
    withPools(
      Effect.gen(function* () {
        const pool = yield* WorkerPool
        const first = yield* Effect.scoped(pool.borrow(orders))
        yield* TestClock.adjust(5000)
        yield* pool.tidy
        yield* settle
        assert.deepStrictEqual(
          (yield* containers).map((container) => container.status),
          ["PAUSED"]
        )
        const second = yield* Effect.scoped(pool.borrow(orders))
        assert.strictEqual(second.id, first.id)
        assert.deepStrictEqual(
          (yield* containers).map((container) => container.status),
          ["RUNNING"]
        )
      })
    )
  )

  it.effect("destroys a worker that has rested longer than its function allows", () =>
    withPools(
      Effect.gen(function* () {
        const pool = yield* WorkerPool
        yield* Effect.scoped(pool.borrow(orders))
        yield* TestClock.adjust(60_000)
        yield* pool.tidy
        yield* settle
        assert.deepStrictEqual(yield* containers, [])
      })
    )
  )

  it.effect("lets running calls end on the old code and gives the next call the new one", () =>
    withPools(
      Effect.gen(function* () {
        const pool = yield* WorkerPool
        const old = yield* hold(orders)
        const changed = { ...orders, image: "orders:2" }
        yield* pool.reconcile([changed])
        const fresh = yield* Effect.scoped(pool.borrow(changed))
        assert.notStrictEqual(fresh.id, yield* Deferred.await(old.got))
        yield* Deferred.succeed(old.enough, undefined)
        yield* Fiber.join(old.fiber)
        yield* settle
        assert.deepStrictEqual(
          (yield* containers).map((container) => container.id),
          [fresh.id]
        )
      })
    )
  )

  it.effect("is not changed back by a call that was under way when its function changed", () =>
    withPools(
      Effect.gen(function* () {
        const pool = yield* WorkerPool
        const changed = { ...orders, image: "orders:2" }
        yield* Effect.scoped(pool.borrow(orders))
        yield* pool.reconcile([changed])
        const fresh = yield* Effect.scoped(pool.borrow(changed))
        const late = yield* Effect.scoped(pool.borrow(orders))
        assert.strictEqual(late.id, fresh.id)
      })
    )
  )

  it.effect("does not lend a worker again whose thawing was interrupted", () =>
    withPools(
      Effect.gen(function* () {
        const pool = yield* WorkerPool
        const runtime = yield* ContainerRuntime
        const first = yield* Effect.scoped(pool.borrow(orders))
        yield* TestClock.adjust(5000)
        yield* pool.tidy
        yield* settle
        const thawing = yield* hold(orders)
        yield* Fiber.interrupt(thawing.fiber)
        yield* settle
        const second = yield* Effect.scoped(pool.borrow(orders))
        assert.notStrictEqual(second.id, first.id)
        assert.deepStrictEqual(
          (yield* runtime.list(owner)).map(({ id }) => id),
          [second.id]
        )
      }),
      poolsOver(neverThaws)
    )
  )

  it.effect("retires the workers of a function that went", () =>
    withPools(
      Effect.gen(function* () {
        const pool = yield* WorkerPool
        const held = yield* hold(orders)
        yield* pool.reconcile([])
        yield* Deferred.succeed(held.enough, undefined)
        yield* Fiber.join(held.fiber)
        yield* pool.tidy
        yield* settle
        assert.deepStrictEqual(yield* containers, [])
        assert.isUndefined(yield* statusOf("orders"))
      })
    )
  )

  it.effect("refuses calls of a function that crashed too often, until one after the rest does well", () =>
    withPools(
      Effect.gen(function* () {
        const pool = yield* WorkerPool
        for (const _ of [1, 2, 3]) {
          yield* Effect.exit(Effect.scoped(Effect.andThen(pool.borrow(orders), Effect.fail(exited))))
        }
        const failure = yield* Effect.flip(Effect.scoped(pool.borrow(orders)))
        assert.strictEqual(failure._tag, "BreakerOpen")
        yield* TestClock.adjust(30_000)
        yield* Effect.scoped(pool.borrow(orders))
        yield* Effect.scoped(pool.borrow(orders))
      })
    )
  )

  it.effect("takes calls of a function again as soon as it has changed", () =>
    withPools(
      Effect.gen(function* () {
        const pool = yield* WorkerPool
        for (const _ of [1, 2, 3]) {
          yield* Effect.exit(Effect.scoped(Effect.andThen(pool.borrow(orders), Effect.fail(exited))))
        }
        yield* pool.reconcile([{ ...orders, image: "orders:2" }])
        yield* Effect.scoped(pool.borrow({ ...orders, image: "orders:2" }))
      })
    )
  )

  it.effect("sweeps containers of nobody's pool once they are old enough", () =>
    withPools(
      Effect.gen(function* () {
        const pool = yield* WorkerPool
        const runtime = yield* ContainerRuntime
        const mine = yield* Effect.scoped(pool.borrow(orders))
        yield* runtime.ensure({ functionName: orders.name, image: "orders:1", environment: {}, specHash: "?" }, owner)
        yield* pool.sweep
        assert.strictEqual((yield* containers).length, 2)
        yield* TestClock.adjust(60_000)
        yield* pool.sweep
        assert.deepStrictEqual(
          (yield* containers).map((container) => container.id),
          [mine.id]
        )
      })
    )
  )

  it.effect("loses no worker and forgets no caller over many interruptions", () =>
    withPools(
      Effect.gen(function* () {
        const pool = yield* WorkerPool
        const generous = scaled({ maxCapacity: 3 })
        yield* Effect.forEach(
          Array.from({ length: 300 }, (_, n) => n),
          (n) =>
            Effect.gen(function* () {
              const fiber = yield* Effect.forkChild(
                Effect.exit(Effect.scoped(Effect.andThen(pool.borrow(generous), Effect.yieldNow)))
              )
              for (let turn = 0; turn < n % 7; turn++) {
                yield* Effect.yieldNow
              }
              yield* n % 3 === 0 ? Fiber.await(fiber) : Fiber.interrupt(fiber)
            }),
          { concurrency: 8, discard: true }
        )
        yield* settle
        const status = yield* statusOf("orders")
        assert.deepInclude(status, { busy: 0, waiting: 0, starting: 0 })
        assert.strictEqual((yield* containers).length, status?.idle)
      })
    )
  )

  it.effect("destroys every worker when it ends", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(pools, scope)
      const { workers } = Context.get(context, MemoryWorkers.MemoryWorkers)
      yield* Effect.scoped(Effect.provide(hold(orders), context))
      yield* Effect.scoped(Effect.flatMap(WorkerPool, (pool) => pool.borrow(orders))).pipe(Effect.provide(context))
      assert.isAbove(workers.size, 0)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(workers.size, 0)
    })
  )
})
