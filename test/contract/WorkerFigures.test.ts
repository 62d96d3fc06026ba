import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Metric, type Scope } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { TestClock } from "effect/testing"
import { RuntimeUnavailable } from "#domain/Failure"
import type { FunctionName } from "#domain/FunctionName"
import type { ContainerMetrics, OwnerId, Worker, WorkerSpec } from "#domain/Worker"
import * as MemoryContainerRuntime from "#layers/memory/MemoryContainerRuntime"
import * as MemoryWorkerClient from "#layers/memory/MemoryWorkerClient"
import * as MemoryWorkers from "#layers/memory/MemoryWorkers"
import * as FunctionLabel from "#layers/telemetry/FunctionLabel"
import * as WorkerFigures from "#layers/telemetry/WorkerFigures"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import { parse, valueOf } from "#test/support/Exposition"
import { settle } from "#test/support/Pools"

const mine = "mine" as OwnerId
const theirs = "theirs" as OwnerId

const functions = {
  orders: {
    effect: (event: unknown) => {
      if (event === "throw") return Effect.fail(new TypeError("no"))
      return event === "hang" ? Effect.never : Effect.as(Effect.sleep(200), "ok")
    }
  },
  exits: { handler: (_: unknown, { exit }: MemoryWorkers.MemoryContext) => exit(1) },
  slow: { init: () => Effect.never, handler: () => "ok" }
}

const spec = (functionName: string): WorkerSpec => ({
  functionName: functionName as FunctionName,
  image: "image:1",
  environment: { AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "128", AWS_LAMBDA_FUNCTION_TIMEOUT: "3" },
  specHash: "v1"
})

type Runtime = ContainerRuntime["Service"]
type All = ContainerRuntime | WorkerClient | WorkerFigures.WorkerFigures | MemoryWorkers.MemoryWorkers

const watched = (inTheWay: (runtime: Runtime) => Partial<Runtime> = () => ({})) =>
  WorkerFigures.layer.pipe(
    Layer.provide([
      Layer.effect(
        ContainerRuntime,
        Effect.map(ContainerRuntime, (runtime) => ({ ...runtime, ...inTheWay(runtime) }))
      ).pipe(Layer.provide(MemoryContainerRuntime.layer())),
      MemoryWorkerClient.layer
    ]),
    Layer.provideMerge(MemoryWorkers.layer(functions))
  )

/** In a registry of its own. */
const withWorkers = <A, E>(test: Effect.Effect<A, E, All | Scope.Scope>, over = watched()) =>
  test.pipe(Effect.scoped, Effect.provide(over), Effect.provideService(Metric.MetricRegistry, new Map()))

/** What has been counted so far. */
const counted = Effect.map(PrometheusMetrics.format(), parse)

/** What is true now. */
const collected = Effect.gen(function* () {
  const { collect } = yield* WorkerFigures.WorkerFigures
  return yield* Effect.andThen(collect, Effect.map(PrometheusMetrics.format(), parse)).pipe(
    Effect.provideService(Metric.MetricRegistry, new Map())
  )
})

const start = Effect.fnUntraced(function* (name: string, owner = mine) {
  const runtime = yield* ContainerRuntime
  const worker = yield* runtime.ensure(spec(name), owner)
  yield* settle
  return worker
})

const send = Effect.fnUntraced(function* (worker: Worker, event: string = "go") {
  const client = yield* WorkerClient
  return yield* client.send(worker, {
    requestId: "r",
    functionName: worker.functionName,
    traceId: "t",
    invokedArn: "arn",
    payload: Buffer.from(JSON.stringify(event)),
    clientContext: undefined,
    wantsLogTail: false
  })
})

const calls = Effect.map(
  counted,
  (families) => (outcome: string, name: string) =>
    valueOf(families, "esb_worker_calls_total", { function: name, outcome })
)

describe("The figures of workers", () => {
  it.effect("count calls by their function and what became of them", () =>
    withWorkers(
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const worker = yield* start("orders")
        const good = yield* Effect.forkChild(send(worker))
        yield* TestClock.adjust(200)
        yield* Fiber.join(good)
        yield* send(worker, "throw")
        yield* Effect.exit(send(yield* start("exits")))
        const late = yield* Effect.forkChild(Effect.exit(send(worker, "hang")))
        yield* TestClock.adjust(3_000)
        yield* Fiber.join(late)
        yield* Effect.exit(send(worker))
        const cut = yield* Effect.forkChild(send(yield* start("orders")))
        yield* settle
        yield* Fiber.interrupt(cut)
        yield* runtime.destroy(worker.id, mine)
        const count = yield* calls
        assert.deepStrictEqual(
          ["success", "function_error", "timeout", "unreachable", "cancelled"].map((outcome) =>
            count(outcome, "orders")
          ),
          [1, 1, 1, 1, 1]
        )
        assert.strictEqual(count("exit", "exits"), 1)
        assert.isUndefined(count("success", "exits"))
      })
    )
  )

  it.effect("tell how long calls took", () =>
    withWorkers(
      Effect.gen(function* () {
        const worker = yield* start("orders")
        for (const _ of [1, 2]) {
          const call = yield* Effect.forkChild(send(worker))
          yield* TestClock.adjust(200)
          yield* Fiber.join(call)
        }
        const families = yield* counted
        const bucket = (le: string) => valueOf(families, "esb_worker_call_seconds_bucket", { function: "orders", le })
        assert.deepStrictEqual([bucket("0.1"), bucket("0.25"), bucket("+Inf")], [0, 2, 2])
        assert.closeTo(valueOf(families, "esb_worker_call_seconds_sum", { function: "orders" }) ?? 0, 0.4, 1e-6)
      })
    )
  )

  it.effect("count starts, and those that fail", () =>
    withWorkers(
      Effect.gen(function* () {
        yield* start("orders")
        yield* start("orders")
        yield* Effect.exit(start("nobody-s"))
        const families = yield* counted
        const count = (name: string, outcome: string) =>
          valueOf(families, "esb_worker_starts_total", { function: name, outcome })
        assert.strictEqual(count("orders", "started"), 2)
        assert.strictEqual(count("nobody-s", "failed"), 1)
        assert.strictEqual(valueOf(families, "esb_worker_start_seconds_count", { function: "orders" }), 2)
        assert.isUndefined(valueOf(families, "esb_worker_start_seconds_count", { function: "nobody-s" }))
      })
    )
  )

  it.effect("tell how many workers of each function do what, whoever owns them", () =>
    withWorkers(
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const { kill } = yield* MemoryWorkers.MemoryWorkers
        const [busy, frozen, ended] = [yield* start("orders"), yield* start("orders"), yield* start("orders")]
        yield* start("orders", theirs)
        yield* start("slow", theirs)
        yield* Effect.forkChild(Effect.exit(send(busy)))
        yield* runtime.suspend(frozen.id, mine)
        yield* kill(ended.id)
        yield* settle
        const families = yield* collected
        assert.sameDeepMembers(
          families
            .get("esb_workers")
            ?.samples.map(({ labels, value }) => [labels["function"], labels["status"], value]) ?? [],
          [
            ["orders", "busy", 1],
            ["orders", "frozen", 1],
            ["orders", "stopped", 1],
            ["orders", "idle", 1],
            ["slow", "init", 1]
          ]
        )
      })
    )
  )

  it.effect("tell of the workers of an owner who only asks for them", () => {
    let isThere = false
    const leftover = (runtime: Runtime) =>
      Effect.suspend(() => {
        if (isThere) return Effect.void
        isThere = true
        return Effect.andThen(Effect.ignore(runtime.ensure(spec("orders"), mine)), settle)
      })
    return withWorkers(
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        yield* runtime.list(mine)
        const families = yield* collected
        assert.strictEqual(valueOf(families, "esb_workers", { function: "orders", status: "idle" }), 1)
      }),
      watched((runtime) => ({
        // Its worker was there before anybody watched.
        list: (owner) => Effect.andThen(leftover(runtime), runtime.list(owner))
      }))
    )
  })

  it.effect("sum up what workers use, and leave out those that cannot be measured", () => {
    const use = new Map<string, Pick<ContainerMetrics, "memoryBytes" | "cpuNanoseconds">>()
    const over = watched((runtime) => ({
      metrics: (id, owner) => {
        const used = use.get(id)
        return used === undefined
          ? Effect.fail(new RuntimeUnavailable({ detail: "not measured" }))
          : Effect.map(runtime.metrics(id, owner), (measured) => ({ ...measured, ...used }))
      }
    }))
    return withWorkers(
      Effect.gen(function* () {
        const [a, b] = [yield* start("orders"), yield* start("orders")]
        yield* start("orders")
        use.set(a.id, { memoryBytes: 10, cpuNanoseconds: 1e9 })
        use.set(b.id, { memoryBytes: 20, cpuNanoseconds: 2e9 })
        const first = yield* collected
        assert.strictEqual(valueOf(first, "esb_worker_memory_bytes", { function: "orders" }), 30)
        assert.strictEqual(valueOf(first, "esb_worker_memory_limit_bytes", { function: "orders" }), 2 * 128 * 2 ** 20)
        assert.strictEqual(valueOf(first, "esb_workers", { function: "orders", status: "idle" }), 3)
        const cpu = Effect.map(counted, (families) =>
          valueOf(families, "esb_worker_cpu_seconds_total", { function: "orders" })
        )
        assert.strictEqual(yield* cpu, 3)
        use.set(a.id, { memoryBytes: 10, cpuNanoseconds: 4e9 })
        use.delete(b.id)
        yield* collected
        assert.strictEqual(yield* cpu, 6)
        use.set(b.id, { memoryBytes: 20, cpuNanoseconds: 2.5e9 })
        yield* collected
        assert.strictEqual(yield* cpu, 6.5)
      }),
      over
    )
  })

  it.effect("fail when the engine gives no list", () =>
    withWorkers(
      Effect.gen(function* () {
        yield* start("orders")
        assert.strictEqual((yield* Effect.flip(collected))._tag, "RuntimeUnavailable")
      }),
      watched(() => ({ list: () => Effect.fail(new RuntimeUnavailable({ detail: "down" })) }))
    )
  )

  it("name so many functions and no more, however many there are", () => {
    const label = FunctionLabel.make(2)
    assert.deepStrictEqual(["a", "b", "c", "a", "d"].map(label), ["a", "b", "(others)", "a", "(others)"])
  })
})
