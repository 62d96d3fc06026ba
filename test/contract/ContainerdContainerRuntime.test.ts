/** What containers of containerd promise beyond every other engine's workers. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { createHash, randomBytes } from "node:crypto"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as BrandNetwork from "#domain/BrandNetwork"
import type { Worker } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import { functionNamed, left, listed, mine, nothing, started, taskOf } from "#test/support/ContainerdSamples"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as FaultyContainerd from "#test/support/FaultyContainerd"
import * as Freezers from "#test/support/Freezers"
import * as RecordedLog from "#test/support/RecordedLog"
import { specOf } from "#test/support/WorkerFunctions"
import * as WorkerNetworks from "#test/support/WorkerNetworks"
import { call } from "./ContainerRuntimeContract.ts"

const answerOf = Effect.fnUntraced(function* (worker: Worker, event: unknown) {
  const client = yield* WorkerClient
  const result = yield* client.send(worker, call(worker, event))
  return JSON.parse(Buffer.from(result.payload).toString()) as unknown
})

const openFiles = (): number => readdirSync("/proc/self/fd").length

describe("containers of containerd", { ...needs("containerd", "cni"), timeout: 60_000 }, () => {
  it.live("are refused for an image that nobody has, and leave nothing", () =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const failure = yield* Effect.flip(runtime.ensure(specOf("esb-test/nobody-has-this:1", "index.echo"), mine))
      assert.strictEqual(failure._tag, "ArtifactNotFound")
      assert.include(failure.message, "esb-test/nobody-has-this:1")
    }).pipe(Effect.provide(ContainerdWorkers.layer()))
  )

  it.live("leave nothing when their start fails, and say why", () =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const failure = yield* Effect.flip(runtime.ensure(yield* functionNamed("echo"), mine))
      assert.strictEqual(failure._tag, "RuntimeUnavailable")
      assert.include(failure.message, "esb-test-no-such-program")
      assert.deepStrictEqual(yield* left, nothing)
    }).pipe(Effect.provide(ContainerdWorkers.layer({ containerd: { runtimeProgram: "esb-test-no-such-program" } })))
  )

  it.live("leave nothing, not even a file that is open, when they are destroyed or never wanted to the end", () =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const spec = yield* functionNamed("echo")
      // What belongs to the engine and not to a worker is open from the first one on.
      yield* runtime.destroy((yield* started(spec)).id, mine)
      const before = openFiles()
      const workers = yield* Effect.forEach([1, 2, 3], () => started(spec), { concurrency: 3 })
      const late = yield* Effect.forkChild(runtime.ensure(spec, mine))
      yield* Effect.sleep(50)
      yield* Fiber.interrupt(late)
      yield* runtime.suspend(workers[0]?.id ?? assert.fail("no worker"), mine)
      yield* Effect.forEach(workers, ({ id }) => runtime.destroy(id, mine), { concurrency: 3 })
      assert.deepStrictEqual(yield* left, nothing)
      yield* eventually("open files", Effect.sync(openFiles), (count) => count <= before)
    }).pipe(Effect.provide(ContainerdWorkers.layer()))
  )

  it.live(
    "leave no empty directory among the kernel's control groups with the last of them, and one while others are in it",
    () => {
      const cgroupParent = `/esb-test-${randomBytes(4).toString("hex")}`
      const run = Effect.provide(ContainerdWorkers.onMachine({ containerd: { cgroupParent } }), { local: true })
      const parents = Effect.sync(() =>
        readFileSync("/proc/self/mounts", "utf8")
          .split("\n")
          .flatMap((line) => (/^\S+ \S+ cgroup2? /.test(line) ? [join(line.split(" ")[1] ?? "", cgroupParent)] : []))
          .filter((path) => existsSync(path))
      )
      return Effect.gen(function* () {
        const worker = yield* run(Effect.flatMap(functionNamed("echo"), started))
        assert.isNotEmpty(yield* parents)
        yield* run(Effect.flatMap(ContainerRuntime, (runtime) => runtime.destroy(worker.id, mine)))
        assert.deepStrictEqual(yield* parents, [])
      }).pipe(Effect.provide(ContainerdWorkers.machine()))
    }
  )

  it.live("have networks of their own, and those that nobody has go with the next collection", () =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const { stack } = yield* ContainerdWorkers.Machine
      const worker = yield* started(yield* functionNamed("echo"))
      const digest = createHash("sha256").update(`esb ${stack}`).digest()
      const left = `${BrandNetwork.prefixOf({ brand: "esb", environment: stack }, digest)}left`
      yield* WorkerNetworks.run("ip", "netns", "add", left)
      yield* runtime.gc(() => false)
      assert.notInclude(readdirSync("/run/netns"), left)
      assert.deepStrictEqual(yield* answerOf(worker, { n: 1 }), { n: 1 })
    }).pipe(Effect.provide(ContainerdWorkers.layer()))
  )

  it.live("are known to have had too little memory, also where the word of it gets lost", () => {
    const faulty = FaultyContainerd.make()
    faulty.silence("/tasks/oom")
    return Effect.gen(function* () {
      const client = yield* WorkerClient
      const worker = yield* started(yield* functionNamed("hoard", { memoryMiB: 128 }))
      const failure = yield* Effect.flip(client.send(worker, call(worker, { megabytes: 400 })))
      assert.strictEqual(failure._tag, "WorkerExited")
      assert.include(Buffer.from((failure as { payload: Uint8Array }).payload).toString(), "Runtime.OutOfMemory")
    }).pipe(Effect.provide(ContainerdWorkers.layer({ between: faulty.layer })))
  })

  it.live("run on while containerd is away, and are served by it again afterwards", () =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const { start, stop } = yield* ContainerdWorkers.Machine
      const spec = yield* functionNamed("echo")
      const worker = yield* started(spec)
      yield* stop
      assert.deepStrictEqual(yield* answerOf(worker, { n: 1 }), { n: 1 })
      const failure = yield* Effect.flip(runtime.ensure(spec, mine))
      assert.deepInclude(failure, { _tag: "RuntimeUnavailable", isAway: true })
      assert.isFalse(runtime.isReachable())
      yield* start
      assert.deepStrictEqual(yield* answerOf(worker, { n: 2 }), { n: 2 })
      yield* runtime.suspend(worker.id, mine)
      yield* runtime.resume(worker.id, mine)
      assert.deepStrictEqual(yield* answerOf(yield* started(spec), { n: 3 }), { n: 3 })
      assert.isTrue(runtime.isReachable())
    }).pipe(Effect.provide(ContainerdWorkers.layer()))
  )

  it.live("whose end came while containerd was away are known to have ended", () =>
    Effect.gen(function* () {
      const { ctr, start, stop } = yield* ContainerdWorkers.Machine
      const worker = yield* started(yield* functionNamed("echo"))
      const [, pid = ""] = /(\d+)\s+RUNNING/.exec(yield* ctr("tasks", "list")) ?? []
      yield* stop
      process.kill(Number(pid), "SIGKILL")
      yield* start
      yield* eventually("the worker is stopped", listed, ([state]) => state?.status === "STOPPED")
      assert.strictEqual((yield* listed)[0]?.id, worker.id)
    }).pipe(Effect.provide(ContainerdWorkers.layer()))
  )

  it.live("that lose who looks after them are known to have ended, and go without a trace", () =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const { ctr } = yield* ContainerdWorkers.Machine
      const worker = yield* started(yield* functionNamed("echo"))
      const [, pid = ""] = /(\d+)\s+RUNNING/.exec(yield* ctr("tasks", "list")) ?? []
      const [, shim = ""] = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? []
      process.kill(Number(shim), "SIGKILL")
      yield* eventually("the worker is stopped", listed, ([state]) => state?.status === "STOPPED")
      yield* eventually(
        "its process is gone",
        Effect.sync(() => existsSync(`/proc/${pid}`)),
        (isThere) => !isThere
      )
      yield* runtime.destroy(worker.id, mine)
      assert.deepStrictEqual(yield* left, nothing)
    }).pipe(Effect.provide(ContainerdWorkers.layer()))
  )
})

describe("containers of containerd whose Agent comes back", { ...needs("containerd", "cni"), timeout: 60_000 }, () => {
  it.live("go on where they were, as the workers they have been, and their output with them", () => {
    const log = RecordedLog.make()
    const run = Effect.provide(ContainerdWorkers.onMachine({ log }), { local: true })
    return Effect.gen(function* () {
      const spec = yield* functionNamed("talk")
      const worker = yield* run(Effect.tap(started(spec), (worker) => answerOf(worker, { lines: 1, width: 10 })))
      assert.include((yield* left).containers, worker.name)
      yield* run(
        Effect.gen(function* () {
          const runtime = yield* ContainerRuntime
          yield* eventually("the worker is idle", listed, ([state]) => state?.phase === "idle", 15_000)
          const [state] = yield* listed
          assert.deepInclude(state, { id: worker.id, name: worker.name, specHash: worker.specHash, status: "RUNNING" })
          yield* answerOf(state ?? worker, { lines: 3, width: 20 })
          yield* eventually(
            "three lines",
            Effect.sync(() => log.records.filter(({ message }) => message.includes("x".repeat(20))).length),
            (count) => count === 3
          )
          yield* runtime.destroy(worker.id, mine)
        })
      )
      assert.deepStrictEqual(yield* left, nothing)
    }).pipe(Effect.provide(ContainerdWorkers.machine()))
  })

  it.live("go on where containerd cannot tell of one of them, which goes with the next collection", () => {
    const faulty = FaultyContainerd.make()
    return Effect.gen(function* () {
      const spec = yield* functionNamed("echo")
      yield* Effect.provide(Effect.all([started(spec), started(spec)]), ContainerdWorkers.onMachine(), { local: true })
      faulty.fail("Tasks.Get", "refused")
      yield* Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        assert.strictEqual((yield* listed).length, 1)
        assert.strictEqual(yield* runtime.gc(() => false), 1)
        const [name, ...others] = (yield* left).containers.split("\n")
        assert.deepStrictEqual([name, others], [(yield* listed)[0]?.name, []])
      }).pipe(Effect.provide(ContainerdWorkers.onMachine({ between: faulty.layer }), { local: true }))
    }).pipe(Effect.provide(ContainerdWorkers.machine()))
  })

  it.live("are frozen as they were once they are heard of, and removed where they have ended", () => {
    const run = Effect.provide(ContainerdWorkers.onMachine(), { local: true })
    return Effect.gen(function* () {
      const { ctr } = yield* ContainerdWorkers.Machine
      const spec = yield* functionNamed("echo")
      const [frozen, ended] = yield* run(
        Effect.gen(function* () {
          const runtime = yield* ContainerRuntime
          const [one, other] = yield* Effect.all([started(spec), started(spec)])
          yield* runtime.suspend(one.id, mine)
          return [one, other] as const
        })
      )
      yield* ctr("tasks", "kill", "--signal", "SIGKILL", ended.name)
      yield* run(
        Effect.gen(function* () {
          const runtime = yield* ContainerRuntime
          yield* eventually("the worker is idle", listed, ([state]) => state?.phase === "idle", 15_000)
          const states = yield* listed
          assert.deepStrictEqual(
            states.map(({ id, status }) => [id, status]),
            [[frozen.id, "PAUSED"]]
          )
          const { pid } = yield* taskOf(frozen)
          yield* eventually(
            "it is frozen",
            Effect.sync(() => Freezers.isFrozen(pid)),
            (isFrozen) => isFrozen
          )
          yield* runtime.resume(frozen.id, mine)
          assert.deepStrictEqual(yield* answerOf(states[0] ?? frozen, { n: 1 }), { n: 1 })
        })
      )
      assert.strictEqual((yield* left).containers, frozen.name)
    }).pipe(Effect.provide(ContainerdWorkers.machine()))
  })
})
