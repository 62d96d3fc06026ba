/** Workers of containerd in virtual machines, by the name under which Firecracker's are asked for. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { readFileSync } from "node:fs"
import type { ContainerState, Worker } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import { functionNamed, left, listed, mine, nothing, started, tasks } from "#test/support/ContainerdSamples"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as Microvm from "#test/support/Microvm"
import * as Processes from "#test/support/Processes"
import { call } from "./ContainerRuntimeContract.ts"

/** A processor that is emulated, on a machine that does other things besides. */
const patienceMs = 60_000

const ready = (handler: string) => Effect.flatMap(functionNamed(handler, { timeoutMs: patienceMs }), started)

/** A file, as the function finds it. */
const read = Effect.fnUntraced(function* (worker: Worker, path: string) {
  const client = yield* WorkerClient
  const result = yield* client.send(worker, call(worker, { path }))
  return (JSON.parse(Buffer.from(result.payload).toString()) as { readonly text: string }).text
})

const states = Effect.map(tasks, (all) => all.map(({ state }) => state))

const options = { ...needs("containerd", "cni", "microvm"), timeout: 3 * patienceMs }

describe("containers that are virtual machines", options, () => {
  const machine = () => ContainerdWorkers.machine({ shims: [Microvm.shims()] })
  const run = (asked: ContainerdWorkers.Options["containerd"] = {}) =>
    ContainerdWorkers.onMachine({
      containerd: { runtime: Microvm.runtime, ...asked },
      door: { initLimitMs: patienceMs }
    })
  const layer = () => Layer.provideMerge(run(), machine())

  it.live("poll for calls from inside, are frozen, woken and measured, and gone without a trace", () =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const { directory } = yield* ContainerdWorkers.Machine
      const worker = yield* ready("read")
      const version = yield* read(worker, "/proc/version")
      assert.match(version, /^Linux version \S+-cloud-amd64 /)
      assert.notStrictEqual(version, readFileSync("/proc/version", "utf8"))
      assert.match(yield* read(worker, "/proc/cmdline"), /tsc_early_khz/)
      const status = yield* read(worker, "/proc/self/status")
      for (const line of [/^Uid:\s+993\s/m, /^CapEff:\s+0+$/m, /^NoNewPrivs:\s+1$/m]) assert.match(status, line)
      assert.match(yield* read(worker, "/proc/mounts"), /^\/dev\/vda \/ ext4 ro,/m)

      assert.deepStrictEqual(yield* states, ["RUNNING"])
      yield* runtime.suspend(worker.id, mine)
      assert.deepStrictEqual(yield* states, ["PAUSED"])
      const before = yield* runtime.metrics(worker.id, mine)
      yield* Effect.sleep(300)
      const after = yield* runtime.metrics(worker.id, mine)
      assert.isAbove(before.memoryBytes, 100 * 1_048_576)
      // QEMU itself looks around now and then.
      assert.isBelow(after.cpuNanoseconds - before.cpuNanoseconds, 100_000_000)
      yield* runtime.resume(worker.id, mine)
      assert.deepStrictEqual(yield* states, ["RUNNING"])
      assert.strictEqual(yield* read(worker, "/proc/version"), version)

      const machines = () => Processes.of(directory).filter(({ command }) => command.includes("qemu-system"))
      assert.strictEqual(machines().length, 1)
      yield* runtime.destroy(worker.id, mine)
      assert.deepStrictEqual(machines(), [])
      assert.deepStrictEqual(yield* left, nothing)
    }).pipe(Effect.provide(layer()))
  )

  it.live("tell how their function ended", () =>
    Effect.gen(function* () {
      const client = yield* WorkerClient
      const runtime = yield* ContainerRuntime
      const worker = yield* ready("exit")
      const failure = yield* Effect.flip(client.send(worker, call(worker, { code: 7 })))
      assert.strictEqual(failure._tag, "WorkerExited")
      yield* eventually("its end is known", listed, ([state]) => state?.status === "STOPPED")
      assert.strictEqual((yield* runtime.metrics(worker.id, mine)).exitCode, 7)
      yield* runtime.destroy(worker.id, mine)
      assert.deepStrictEqual(yield* left, nothing)
    }).pipe(Effect.provide(layer()))
  )

  it.live("are taken over by the next Agent, one that stands still among them", () =>
    Effect.gen(function* () {
      const made = yield* Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const [running, frozen] = yield* Effect.all([ready("read"), ready("read")], { concurrency: 2 })
        yield* runtime.suspend(frozen.id, mine)
        return { running, frozen }
      }).pipe(Effect.provide(run(), { local: true }))
      yield* Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const idle = (all: ReadonlyArray<ContainerState>) => all.filter(({ phase }) => phase === "idle").length === 2
        const back = yield* eventually("both are idle", listed, idle, patienceMs)
        const statusOf = ({ id }: Worker) => back.find((state) => state.id === id)?.status
        assert.deepStrictEqual([statusOf(made.running), statusOf(made.frozen)], ["RUNNING", "PAUSED"])
        yield* runtime.resume(made.frozen.id, mine)
        for (const worker of back) assert.match(yield* read(worker, "/proc/version"), /-cloud-amd64 /)
        for (const { id } of back) yield* runtime.destroy(id, mine)
        assert.deepStrictEqual(yield* left, nothing)
      }).pipe(Effect.provide(run(), { local: true }))
    }).pipe(Effect.provide(machine()))
  )

  it.live("are made ahead of whoever asks for one, and have only to be started", () =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const first = yield* ready("read")
      const ahead = Effect.map(tasks, (all) => all.filter(({ state }) => state === "CREATED"))
      const [waiting] = yield* eventually("one is made ahead", ahead, ({ length }) => length === 1, patienceMs)
      const second = yield* ready("read")
      assert.strictEqual(second.name, waiting?.name)
      assert.match(yield* read(second, "/proc/version"), /-cloud-amd64 /)
      for (const { id } of [first, second]) yield* runtime.destroy(id, mine)
    }).pipe(Effect.provide(Layer.provideMerge(run({ preparedPerSpec: 1 }), machine())))
  )
})
