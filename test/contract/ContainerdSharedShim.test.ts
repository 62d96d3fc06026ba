/** Containers of containerd that one process looks after, all of a stack together. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { readFileSync } from "node:fs"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import { functionNamed, left, listed, mine, nothing, started, tasks } from "#test/support/ContainerdSamples"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as Processes from "#test/support/Processes"
import { call } from "./ContainerRuntimeContract.ts"

const parentOf = (pid: number): number =>
  Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1])

const sharing = ContainerdWorkers.onMachine({ containerd: { sharesShim: true } })

const answers = Effect.gen(function* () {
  const client = yield* WorkerClient
  const worker = yield* started(yield* functionNamed("echo"))
  const { payload } = yield* client.send(worker, call(worker, { n: 1 }))
  assert.deepStrictEqual(JSON.parse(Buffer.from(payload).toString()), { n: 1 })
  return worker
})

describe("containers with one shim", { ...needs("containerd", "cni"), timeout: 60_000 }, () => {
  it.live("have that of their stack, and no other stack's", () =>
    Effect.gen(function* () {
      const { ctr, stack } = yield* ContainerdWorkers.Machine
      const [one, other] = [yield* answers, yield* answers]
      const shims = new Set((yield* tasks).map(({ pid }) => parentOf(pid)))
      assert.strictEqual(shims.size, 1)
      for (const { name } of [one, other]) {
        assert.include(yield* ctr("containers", "info", name), `"io.containerd.runc.v2.group": "esb-${stack}"`)
      }
      const runtime = yield* ContainerRuntime
      yield* runtime.destroy(one.id, mine)
      yield* runtime.suspend(other.id, mine)
      yield* runtime.resume(other.id, mine)
      assert.deepStrictEqual(
        (yield* listed).map(({ id, status }) => [id, status]),
        [[other.id, "RUNNING"]]
      )
    }).pipe(Effect.provide(Layer.provideMerge(sharing, ContainerdWorkers.machine())))
  )

  it.live("are all known to have ended when it has, go without a trace, and others take their place", () =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const workers = [yield* answers, yield* answers, yield* answers]
      yield* runtime.suspend(workers[0]?.id ?? assert.fail("no worker"), mine)
      const all = yield* tasks
      const [{ pid } = assert.fail("no task")] = all
      process.kill(parentOf(pid), "SIGKILL")
      yield* eventually(
        "all are stopped",
        listed,
        (states) => states.length === 3 && states.every(({ status }) => status === "STOPPED"),
        20_000
      )
      for (const { id } of workers) yield* runtime.destroy(id, mine)
      yield* eventually(
        "their processes are gone",
        Effect.sync(() => all.filter((task) => Processes.isAlive(task.pid))),
        ({ length }) => length === 0
      )
      assert.deepStrictEqual(yield* left, nothing)
      yield* answers
    }).pipe(Effect.provide(Layer.provideMerge(sharing, ContainerdWorkers.machine())))
  )

  it.live("are taken over by the next Agent, which starts others beside them", () => {
    const run = Effect.provide(sharing, { local: true })
    return Effect.gen(function* () {
      const worker = yield* run(answers)
      yield* Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        yield* eventually("the worker is idle", listed, ([state]) => state?.phase === "idle", 15_000)
        const other = yield* answers
        assert.strictEqual(new Set((yield* tasks).map(({ pid }) => parentOf(pid))).size, 1)
        for (const { id } of [worker, other]) yield* runtime.destroy(id, mine)
      }).pipe(run)
      assert.deepStrictEqual(yield* left, nothing)
    }).pipe(Effect.provide(ContainerdWorkers.machine()))
  })
})
