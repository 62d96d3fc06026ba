import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, type Scope } from "effect"
import { TestClock } from "effect/testing"
import type { WorkerSpec } from "#domain/Worker"
import type { ContainerRuntime } from "#services/ContainerRuntime"
import type { WorkerClient } from "#services/WorkerClient"
import { engine, gateway, hold, named, scaled, settle, statusOf } from "#test/support/Pools"

const startMs = 100

const code = { handler: () => "ok" }

/** An engine that takes its time over each start, and what it was asked to start. */
const slowStarts = () => {
  const asked: Array<WorkerSpec> = []
  const current = { inFlight: 0, most: 0 }
  const layer = engine({ a: code, b: code, c: code }, ({ ensure }) => ({
    ensure: (spec, owner) =>
      Effect.suspend(() => {
        asked.push(spec)
        current.inFlight += 1
        current.most = Math.max(current.most, current.inFlight)
        return Effect.andThen(Effect.sleep(startMs), ensure(spec, owner))
      }).pipe(Effect.ensuring(Effect.sync(() => (current.inFlight -= 1))))
  }))
  return { asked, current, layer }
}

const over = <A, E>(
  test: Effect.Effect<A, E, ContainerRuntime | WorkerClient | Scope.Scope>,
  { layer }: ReturnType<typeof slowStarts>
) => test.pipe(Effect.scoped, Effect.provide(layer))

const filled = (name: string, minCapacity: number) => scaled({ minCapacity, maxCapacity: 10 }, named(name))

describe("WorkerPool, filling up minima", () => {
  it.effect("starts four workers at a time, over all functions, until there are enough", () => {
    const engine = slowStarts()
    return over(
      Effect.gen(function* () {
        const { pool } = yield* gateway()
        yield* pool.reconcile(["a", "b", "c"].map((name) => filled(name, 3)))
        yield* settle
        assert.strictEqual(engine.current.inFlight, 4)
        // To be asked again does not ask for more.
        yield* pool.tidy
        for (const done of [4, 8, 9]) {
          yield* TestClock.adjust(startMs)
          assert.strictEqual(engine.asked.length - engine.current.inFlight, done)
        }
        assert.strictEqual(engine.current.most, 4)
        assert.deepStrictEqual(
          (yield* pool.status).map(({ idle, starting }) => [idle, starting]),
          [
            [3, 0],
            [3, 0],
            [3, 0]
          ]
        )
      }),
      engine
    )
  })

  it.effect("does not hold up a caller of another function", () => {
    const engine = slowStarts()
    return over(
      Effect.gen(function* () {
        const { pool, within } = yield* gateway()
        yield* pool.reconcile([filled("a", 8), named("b")])
        const caller = yield* within(hold(named("b")))
        assert.strictEqual(engine.current.inFlight, 5)
        yield* TestClock.adjust(startMs)
        assert.isTrue(yield* Deferred.isDone(caller.got))
      }),
      engine
    )
  })

  it.effect("does not hold up a caller who came after the start that is for him was put off", () => {
    const engine = slowStarts()
    return over(
      Effect.gen(function* () {
        const { pool, within } = yield* gateway({ maxWaiting: 10 })
        const a = filled("a", 6)
        yield* pool.reconcile([filled("b", 4), a])
        assert.deepStrictEqual(
          engine.asked.map(({ functionName }) => functionName),
          ["b", "b", "b", "b"]
        )
        const callers = yield* Effect.forEach(Array.from({ length: 5 }), () => within(hold(a)))
        assert.deepInclude(yield* within(statusOf("a")), { starting: 6, waiting: 5 })
        assert.strictEqual(engine.current.inFlight, 9)
        yield* TestClock.adjust(startMs)
        for (const { got } of callers) {
          assert.isTrue(yield* Deferred.isDone(got))
        }
        yield* TestClock.adjust(startMs)
        assert.deepInclude(yield* within(statusOf("a")), { busy: 5, idle: 1, starting: 0 })
        assert.deepStrictEqual(
          engine.asked.map(({ environment }) => environment["AWS_LAMBDA_INITIALIZATION_TYPE"]),
          [
            ...Array.from({ length: 4 }, () => "provisioned-concurrency"),
            ...Array.from({ length: 5 }, () => "on-demand"),
            "provisioned-concurrency"
          ]
        )
      }),
      engine
    )
  })

  it.effect("starts nothing of a function as it was before it changed", () => {
    const engine = slowStarts()
    return over(
      Effect.gen(function* () {
        const { pool, within } = yield* gateway()
        const before = filled("a", 6)
        yield* pool.reconcile([before])
        yield* pool.reconcile([{ ...before, image: "a:2" }])
        for (const _ of [1, 2, 3]) {
          yield* TestClock.adjust(startMs)
        }
        yield* settle
        const images = engine.asked.map(({ image }) => image)
        assert.deepStrictEqual(
          images.filter((image) => image === before.image),
          Array.from({ length: 4 }, () => before.image)
        )
        assert.strictEqual(images.length, 10)
        assert.deepInclude(yield* within(statusOf("a")), { idle: 6, starting: 0 })
      }),
      engine
    )
  })
})
