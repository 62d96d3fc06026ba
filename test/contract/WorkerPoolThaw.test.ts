/** Frozen workers that are thawed by their calls, and what the pools make of it when they are not. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Duration, Effect, Fiber, Layer, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { RuntimeUnavailable, WorkerUnreachable } from "#domain/Failure"
import type { FunctionSpec } from "#domain/FunctionSpec"
import type { LentWorker } from "#domain/Worker"
import * as MemoryContainerRuntime from "#layers/memory/MemoryContainerRuntime"
import * as MemoryWorkerClient from "#layers/memory/MemoryWorkerClient"
import * as MemoryWorkers from "#layers/memory/MemoryWorkers"
import * as Invoke from "#programs/gateway/Invoke"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import { WorkerPool } from "#services/WorkerPool"
import { containers, exited, gateway, hold, invocationOf, options, orders, scaled, settle } from "#test/support/Pools"

const restMs = options.freezeAfterMs ?? 0
/** How often the pools look at containers that cannot be adopted yet. */
const lookMs = 500

type Suspend = ContainerRuntime["Service"]["suspend"]

interface Plan {
  /** What becomes of the first calls that should thaw their worker; further ones do. */
  readonly thaws?: ReadonlyArray<"useless" | "away">
  readonly suspend?: (suspend: Suspend) => Suspend
}

/** What was asked of the engine and of calls, and how many events have reached a worker. */
interface Seen {
  readonly asked: Array<"suspend" | "resume" | "call that thaws">
  runs: number
}

const engine = (seen: Seen, { suspend = (asked) => asked }: Plan) =>
  Layer.effect(
    ContainerRuntime,
    Effect.map(ContainerRuntime, (runtime) => {
      const planned = suspend(runtime.suspend)
      return {
        ...runtime,
        suspend: (...of: Parameters<Suspend>) => {
          seen.asked.push("suspend")
          return planned(...of)
        },
        resume: (...of: Parameters<Suspend>) => {
          seen.asked.push("resume")
          return runtime.resume(...of)
        }
      }
    })
  ).pipe(Layer.provide(MemoryContainerRuntime.layer()))

/** Knows the engine itself: what it does there the pools have not asked for. */
const client = (seen: Seen, { thaws = [] }: Plan) => {
  const planned = [...thaws]
  return Layer.effect(
    WorkerClient,
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const memory = yield* WorkerClient
      const thaw = Effect.fnUntraced(function* ({ id, owner }: LentWorker) {
        seen.asked.push("call that thaws")
        const notThawed = planned.shift()
        if (notThawed !== undefined) {
          return yield* new WorkerUnreachable({ containerId: id, detail: "it sleeps", notThawed })
        }
        yield* Effect.orDie(runtime.resume(id, owner))
      })
      return WorkerClient.of({
        ...memory,
        thaws: () => true,
        send: Effect.fnUntraced(function* (worker, invocation) {
          if (worker.isFrozen === true) yield* thaw(worker)
          seen.runs += 1
          return yield* memory.send(worker, invocation)
        })
      })
    })
  ).pipe(Layer.provide([MemoryContainerRuntime.layer(), MemoryWorkerClient.layer]))
}

type Surroundings = ContainerRuntime | WorkerClient | Scope.Scope

const withPlan = <E>(plan: Plan, test: (seen: Seen) => Effect.Effect<void, E, Surroundings>) =>
  Effect.suspend(() => {
    const seen: Seen = { asked: [], runs: 0 }
    return test(seen).pipe(
      Effect.scoped,
      Effect.provide(
        Layer.mergeAll(engine(seen, plan), client(seen, plan)).pipe(
          Layer.provide(MemoryWorkers.layer({ orders: { handler: () => "ok" } }))
        )
      )
    )
  })

/** A Gateway that calls what its pools lend. */
const caller = Effect.fnUntraced(function* (different: Parameters<typeof gateway>[0] = {}) {
  const { pool, stop, within } = yield* gateway(different)
  const invoker = yield* Layer.build(Invoke.layer({ drainTimeout: Duration.zero })).pipe(
    Effect.provideService(WorkerPool, pool)
  )
  const { invoke } = Context.get(invoker, Invoke.Invoker)
  return {
    pool,
    stop,
    call: (spec: FunctionSpec = orders) => invoke(spec, invocationOf({ functionName: spec.name })),
    /** Long enough to be frozen. */
    rest: Effect.andThen(TestClock.adjust(restMs), Effect.andThen(pool.tidy, settle)),
    /** So many idle workers at once. */
    fill: Effect.fnUntraced(function* (spec: FunctionSpec, count: number) {
      const held = yield* Effect.forEach(Array.from({ length: count }), () => within(hold(spec)))
      for (const { enough, fiber } of held) {
        yield* Deferred.succeed(enough, undefined)
        yield* Fiber.join(fiber)
      }
    })
  }
})

const states = Effect.map(containers, (all) => all.map(({ status }) => status))

describe("A frozen worker whose call can thaw it", () => {
  it.effect("is left to its call, and awake for the next one", () =>
    withPlan({}, (seen) =>
      Effect.gen(function* () {
        const { call, rest } = yield* caller()
        yield* call()
        yield* rest
        assert.deepStrictEqual(yield* states, ["PAUSED"])
        yield* call()
        yield* call()
        assert.deepStrictEqual(seen, { asked: ["suspend", "call that thaws"], runs: 3 })
        assert.deepStrictEqual(yield* states, ["RUNNING"])
        yield* rest
        yield* call()
        assert.deepStrictEqual(seen.asked.slice(2), ["suspend", "call that thaws"])
      })
    )
  )

  it.effect("is not called before it stands still", () =>
    withPlan(
      { suspend: (suspend) => (id, owner) => Effect.delay(suspend(id, owner), 1_000) },
      Effect.fnUntraced(function* (seen) {
        const { call, rest } = yield* caller()
        yield* call()
        yield* rest
        const next = yield* Effect.forkChild(call())
        yield* TestClock.adjust(999)
        assert.deepStrictEqual(seen, { asked: ["suspend"], runs: 1 })
        yield* TestClock.adjust(1)
        yield* Fiber.join(next)
        assert.deepStrictEqual(seen, { asked: ["suspend", "call that thaws"], runs: 2 })
      })
    )
  )

  it.effect("is thawed before its call where nobody knows whether it is frozen, or will be yet", () => {
    const silent = new RuntimeUnavailable({ detail: "no answer", isAway: true })
    return withPlan(
      { suspend: () => () => Effect.fail(silent) },
      Effect.fnUntraced(function* (seen) {
        const { call, rest } = yield* caller()
        yield* call()
        yield* rest
        yield* call()
        assert.deepStrictEqual(seen, { asked: ["suspend", "resume"], runs: 2 })
      })
    )
  })

  it.effect("is left to its call as well by a Gateway that finds it frozen", () =>
    withPlan({}, (seen) =>
      Effect.gen(function* () {
        const before = yield* caller()
        yield* before.call()
        yield* before.rest
        yield* before.stop
        const { call, pool } = yield* caller()
        yield* pool.reconcile([orders])
        yield* call()
        assert.deepStrictEqual(seen, { asked: ["suspend", "call that thaws"], runs: 2 })
        assert.deepStrictEqual(yield* states, ["RUNNING"])
      })
    )
  )

  it.effect("is destroyed where its caller leaves with it", () =>
    withPlan({}, () =>
      Effect.gen(function* () {
        const { call, pool, rest } = yield* caller()
        yield* call()
        yield* rest
        const leaving = yield* Effect.forkChild(Effect.scoped(Effect.andThen(pool.borrow(orders), Effect.never)))
        yield* settle
        yield* Fiber.interrupt(leaving)
        yield* settle
        assert.deepStrictEqual(yield* states, [])
      })
    )
  )
})

describe("A frozen worker whose call does not thaw it", () => {
  it.effect("is replaced, and the call runs once, on another", () =>
    withPlan({ thaws: ["useless"] }, (seen) =>
      Effect.gen(function* () {
        const { call, rest } = yield* caller()
        yield* call()
        yield* rest
        const [sleeper] = yield* containers
        yield* call()
        yield* settle
        assert.deepStrictEqual(seen, { asked: ["suspend", "call that thaws"], runs: 2 })
        const [another, ...others] = yield* containers
        assert.deepStrictEqual(others, [])
        assert.notStrictEqual(another?.id, sleeper?.id)
      })
    )
  )

  it.effect("is looked after where its engine gave no answer, and called again when that shows it", () =>
    withPlan({ thaws: ["away"] }, (seen) =>
      Effect.gen(function* () {
        const one = scaled({ maxCapacity: 1 })
        const { call, rest } = yield* caller()
        yield* call(one)
        yield* rest
        const before = yield* containers
        const next = yield* Effect.forkChild(call(one))
        yield* settle
        assert.deepStrictEqual(seen, { asked: ["suspend", "call that thaws"], runs: 1 })
        yield* TestClock.adjust(lookMs)
        yield* Fiber.join(next)
        assert.deepStrictEqual(seen, { asked: ["suspend", "call that thaws", "call that thaws"], runs: 2 })
        assert.deepStrictEqual(
          (yield* containers).map(({ id }) => id),
          before.map(({ id }) => id)
        )
      })
    )
  )

  it.effect("keeps its caller no longer than a call waits for a worker, where its engine never gives an answer", () =>
    withPlan({ thaws: Array.from({ length: 100 }, () => "away") }, (seen) =>
      Effect.gen(function* () {
        const one = scaled({ maxCapacity: 1 })
        const { call, rest } = yield* caller()
        yield* call(one)
        yield* rest
        const next = yield* Effect.forkChild(Effect.flip(call(one)))
        yield* TestClock.adjust(one.scaling.acquireTimeoutMs)
        assert.isUndefined(next.pollUnsafe())
        yield* TestClock.adjust(lookMs)
        assert.isDefined(next.pollUnsafe())
        assert.deepInclude(yield* Fiber.join(next), { _tag: "WorkerUnreachable", notThawed: "away" })
        assert.strictEqual(seen.runs, 1)
      })
    )
  )

  const sleepers = options.breaker.threshold + 1
  const many = scaled({ maxCapacity: sleepers })

  it.effect("costs no call, however many there are, and does not count against its function", () =>
    withPlan({ thaws: Array.from({ length: sleepers }, () => "useless") }, (seen) =>
      Effect.gen(function* () {
        const { call, fill, rest } = yield* caller()
        yield* fill(many, sleepers)
        yield* rest
        yield* call(many)
        yield* call(many)
        yield* settle
        assert.deepStrictEqual([seen.asked.length, seen.runs], [2 * sleepers, 2])
        assert.deepStrictEqual(yield* states, ["RUNNING"])
      })
    )
  )

  it.effect("leaves it to the next to find out whether a function that was kept from calls does well again", () =>
    withPlan({ thaws: ["useless"] }, (seen) =>
      Effect.gen(function* () {
        const { call, fill, pool, rest } = yield* caller({ breaker: { threshold: 1, recoveryMs: 1_000 } })
        yield* fill(orders, 2)
        yield* rest
        yield* Effect.exit(Effect.scoped(Effect.andThen(pool.borrow(orders), exited)))
        assert.strictEqual((yield* Effect.flip(call()))._tag, "BreakerOpen")
        yield* TestClock.adjust(1_000)
        yield* call()
        assert.deepStrictEqual([seen.asked.at(-1), seen.runs], ["call that thaws", 1])
      })
    )
  )
})
