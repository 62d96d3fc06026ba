/** Containers that are made before anybody asks for them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { FunctionName } from "#domain/FunctionName"
import { OwnerId, type WorkerSpec } from "#domain/Worker"
import * as PreparedContainers from "#layers/containers/PreparedContainers"
import * as RuntimeSettings from "#layers/containers/RuntimeSettings"
import type { WorkerPlan } from "#layers/containers/WorkerPlan"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import { functionNamed, left, listed, mine, nothing, started, tasks } from "#test/support/ContainerdSamples"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import { call } from "./ContainerRuntimeContract.ts"

const places = { identity: { brand: "esb", environment: "test" } }

const planOf = (name: string, given: Partial<WorkerSpec> = {}, owner = "mine"): WorkerPlan => ({
  spec: { functionName: FunctionName.make(name), image: "image:1", environment: {}, specHash: "one", ...given },
  owner: OwnerId.make(owner),
  image: {
    digest: "sha256:1",
    entrypoint: [],
    extensionNames: () => Effect.succeed([]),
    prepare: () => Effect.die("no container is made of it")
  },
  extensionNames: [],
  settings: { handler: "", runtime: undefined, memoryMiB: 128, timeoutMs: 3_000 }
})

/** Makes them in no time, and keeps count. */
const stocked = Effect.fnUntraced(function* (options: Partial<RuntimeSettings.RuntimeOptions> = {}) {
  const settings = { ...RuntimeSettings.defaults, ...places, preparedPerSpec: 1, ...options }
  const alive = new Set<string>()
  const containers: Array<{ isRemoved: boolean }> = []
  let count = 0
  const prepare = Effect.fnUntraced(function* (plan: WorkerPlan) {
    const scope = yield* Scope.make()
    const name = `${plan.owner} ${plan.spec.functionName} ${plan.spec.specHash} ${++count}`
    alive.add(name)
    yield* Scope.addFinalizer(
      scope,
      Effect.sync(() => alive.delete(name))
    )
    const container = { name, exit: undefined, isRemoved: false }
    containers.push(container)
    return { plan, container, scope }
  })
  const ahead = yield* PreparedContainers.make(settings, prepare)
  const ask = (plan: WorkerPlan) => ahead.first(ahead.take(plan))
  return { ...ahead, ask, containers, alive: () => [...alive] }
})

describe("a stock of prepared containers", () => {
  it.effect("has one for whoever asks again, a moment after the first", () =>
    Effect.gen(function* () {
      const { alive, ask } = yield* stocked()
      assert.isUndefined(yield* ask(planOf("hello")))
      yield* TestClock.adjust(249)
      assert.deepStrictEqual(alive(), [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(alive(), ["mine hello one 1"])
      assert.strictEqual((yield* ask(planOf("hello")))?.container.name, "mine hello one 1")
      assert.isUndefined(yield* ask(planOf("hello")))
      // Two have asked, one after the other: it is quiet from the last one on.
      yield* TestClock.adjust(500)
      assert.deepStrictEqual(alive(), ["mine hello one 1", "mine hello one 2"])
    }).pipe(Effect.scoped)
  )

  it.effect("makes none while somebody waits for a start", () =>
    Effect.gen(function* () {
      const { alive, ask, first } = yield* stocked()
      const waiting = yield* Effect.forkChild(first(Effect.never))
      yield* ask(planOf("hello"))
      yield* TestClock.adjust(60_000)
      assert.deepStrictEqual(alive(), [])
      yield* Fiber.interrupt(waiting)
      yield* TestClock.adjust(250)
      assert.deepStrictEqual(alive(), ["mine hello one 1"])
    }).pipe(Effect.scoped)
  )

  it.effect("has none of another owner, of another environment, of an image or a function that has changed", () =>
    Effect.gen(function* () {
      const { alive, ask } = yield* stocked()
      const plan = planOf("hello")
      yield* ask(plan)
      yield* TestClock.adjust(250)
      assert.isUndefined(yield* ask(planOf("hello", {}, "theirs")))
      assert.isUndefined(yield* ask(planOf("hello", { environment: { A: "1" } })))
      assert.include(alive(), "mine hello one 1")
      assert.isUndefined(yield* ask({ ...plan, image: { ...plan.image, digest: "sha256:2" } }))
      yield* TestClock.adjust(1_000)
      assert.notInclude(alive(), "mine hello one 1")
      yield* ask(planOf("hello", { specHash: "two" }))
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(
        alive().map((name) => name.slice(0, -2)),
        ["theirs hello one", "mine hello two"]
      )
    }).pipe(Effect.scoped)
  )

  it.effect("makes none of workers that nobody waits for", () =>
    Effect.gen(function* () {
      const { alive, ask } = yield* stocked()
      yield* ask(planOf("hello", { environment: { AWS_LAMBDA_INITIALIZATION_TYPE: "provisioned-concurrency" } }))
      yield* TestClock.adjust(60_000)
      assert.deepStrictEqual(alive(), [])
    }).pipe(Effect.scoped)
  )

  it.effect("gives up what is not asked for any more, and what owners have that are gone", () =>
    Effect.gen(function* () {
      const { alive, ask, giveUp } = yield* stocked({ preparedIdleMs: 10_000 })
      yield* ask(planOf("hello"))
      yield* TestClock.adjust(5_000)
      yield* ask(planOf("world"))
      yield* ask(planOf("world", {}, "theirs"))
      yield* TestClock.adjust(4_000)
      assert.strictEqual(alive().length, 3)
      yield* TestClock.adjust(2_000)
      assert.strictEqual(alive().length, 2)
      giveUp((owner) => owner === "theirs")
      yield* TestClock.adjust(250)
      assert.deepStrictEqual(alive(), ["mine world one 2"])
    }).pipe(Effect.scoped)
  )

  it.effect("hands out none that has ended, and makes another", () =>
    Effect.gen(function* () {
      const { alive, ask, containers } = yield* stocked()
      yield* ask(planOf("hello"))
      yield* TestClock.adjust(250)
      const [one = assert.fail("none")] = containers
      one.isRemoved = true
      assert.isUndefined(yield* ask(planOf("hello")))
      yield* TestClock.adjust(1_250)
      assert.deepStrictEqual(alive(), ["mine hello one 2"])
    }).pipe(Effect.scoped)
  )
})

const ahead = { containerd: { preparedPerSpec: 1, prepareAfterMs: 20 } }

const prepared = Effect.map(tasks, (all) => all.filter(({ state }) => state === "CREATED"))

const onePrepared = Effect.map(
  eventually("one is made ahead", prepared, ({ length }) => length === 1),
  ([task]) => task ?? assert.fail("none")
)

const timeout = { timeout: 60_000 }

describe("containers of containerd made ahead", { ...needs("containerd", "cni"), ...timeout }, () => {
  it.live("are nobody's workers until somebody asks, who then has one that answers, and another is made", () =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const client = yield* WorkerClient
      const spec = yield* functionNamed("echo")
      const one = yield* started(spec)
      const { name } = yield* onePrepared
      assert.deepStrictEqual(
        (yield* listed).map(({ id }) => id),
        [one.id]
      )
      assert.strictEqual(yield* runtime.gc(() => false), 0)
      assert.strictEqual((yield* onePrepared).name, name)
      const other = yield* started(spec)
      assert.strictEqual(other.name, name)
      const { payload } = yield* client.send(other, call(other, { n: 1 }))
      assert.deepStrictEqual(JSON.parse(Buffer.from(payload).toString()), { n: 1 })
      assert.notStrictEqual((yield* onePrepared).name, name)
      yield* runtime.suspend(other.id, mine)
      yield* runtime.destroy(other.id, mine)
      assert.deepStrictEqual(
        (yield* listed).map(({ id }) => id),
        [one.id]
      )
    }).pipe(Effect.provide(ContainerdWorkers.layer(ahead)))
  )

  it.live("go when they are not asked for, when their function changes, and with their owner", () =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const [spec, changed] = [
        yield* functionNamed("echo"),
        yield* functionNamed("echo", { environment: { STAGE: "2" } })
      ]
      yield* started(spec)
      const old = yield* onePrepared
      yield* started(changed)
      const fresh = yield* eventually("the old one is replaced", prepared, ([task, ...more]) => {
        return task !== undefined && task.name !== old.name && more.length === 0
      })
      const [info = ""] = yield* Effect.forEach(fresh, ({ name }) =>
        Effect.flatMap(ContainerdWorkers.Machine, ({ ctr }) => ctr("containers", "info", name))
      )
      assert.include(info, changed.specHash)
      yield* runtime.gc(() => true)
      yield* eventually("nothing is left", left, ({ containers, pipes, snapshots }) => {
        return containers === "" && pipes.length === 0 && snapshots.length === 0
      })
      assert.deepStrictEqual(yield* left, nothing)
    }).pipe(Effect.provide(ContainerdWorkers.layer(ahead)))
  )

  it.live("go when nobody has asked for them in a while, and at their Agent's stop", () => {
    const run = (idleMs: number) =>
      Effect.provide(ContainerdWorkers.onMachine({ containerd: { ...ahead.containerd, preparedIdleMs: idleMs } }), {
        local: true
      })
    return Effect.gen(function* () {
      const spec = yield* functionNamed("echo")
      const runtime = ContainerRuntime
      const startedAndPrepared = Effect.tap(started(spec), () => onePrepared)
      const one = yield* run(600_000)(startedAndPrepared)
      assert.strictEqual((yield* left).containers, one.name)
      yield* Effect.gen(function* () {
        const { destroy } = yield* runtime
        const other = yield* startedAndPrepared
        yield* eventually("none is kept", prepared, ({ length }) => length === 0, 10_000)
        for (const { id } of [one, other]) yield* destroy(id, mine)
        assert.deepStrictEqual(yield* left, nothing)
      }).pipe(run(1_000))
    }).pipe(Effect.provide(ContainerdWorkers.machine()))
  })

  it.live("that have died are handed to nobody", () =>
    Effect.gen(function* () {
      const { ctr } = yield* ContainerdWorkers.Machine
      const spec = yield* functionNamed("echo")
      yield* started(spec)
      const dead = yield* onePrepared
      process.kill(dead.pid, "SIGKILL")
      const other = yield* started(spec)
      assert.notStrictEqual(other.name, dead.name)
      yield* eventually("nothing is left of it", ctr("containers", "list", "--quiet"), (names) => {
        return !names.includes(dead.name)
      })
      const unnoticed = yield* onePrepared
      process.kill(unnoticed.pid, "SIGKILL")
      yield* eventually("another takes its place", prepared, ([task]) => {
        return task !== undefined && task.name !== unnoticed.name
      })
    }).pipe(Effect.provide(ContainerdWorkers.layer(ahead)))
  )

  it.live("leave nothing when whoever takes one goes away", () => {
    const run = Effect.provide(ContainerdWorkers.onMachine(ahead), { local: true })
    return Effect.gen(function* () {
      yield* Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const spec = yield* functionNamed("echo")
        yield* runtime.destroy((yield* started(spec)).id, mine)
        for (const afterMs of [0, 2, 4, 8, 16, 30]) {
          yield* onePrepared
          const late = yield* Effect.forkChild(runtime.ensure(spec, mine))
          yield* Effect.sleep(afterMs)
          yield* Fiber.interrupt(late)
          const outcome = yield* Fiber.await(late)
          if (Exit.isSuccess(outcome)) yield* runtime.destroy(outcome.value.id, mine)
        }
        yield* onePrepared
        assert.deepStrictEqual(yield* listed, [])
      }).pipe(run)
      assert.deepStrictEqual(yield* left, nothing)
    }).pipe(Effect.provide(ContainerdWorkers.machine()))
  })
})
