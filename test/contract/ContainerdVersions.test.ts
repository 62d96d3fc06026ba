/** What differs most between versions of containerd: how tasks outlive it, and how it learns of their ends. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { OwnerId, type Worker } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import * as Containerd from "#test/support/Containerd"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { eventually } from "#test/support/Eventually"
import * as FunctionImage from "#test/support/FunctionImage"
import { specOf } from "#test/support/WorkerFunctions"
import { call } from "./ContainerRuntimeContract.ts"

const mine = OwnerId.make("gateway-mine")

const answers = Effect.fnUntraced(function* (worker: Worker, n: number) {
  const client = yield* WorkerClient
  const { payload } = yield* client.send(worker, call(worker, { n }))
  assert.deepStrictEqual(JSON.parse(Buffer.from(payload).toString()), { n })
})

const started = Effect.gen(function* () {
  const runtime = yield* ContainerRuntime
  const client = yield* WorkerClient
  const { reference } = yield* Effect.promise(() => FunctionImage.archive())
  const worker = yield* runtime.ensure(specOf(reference, "index.echo"), mine)
  yield* client.ready(worker)
  return worker
})

const listed = Effect.flatMap(ContainerRuntime, (runtime) => runtime.list(mine))

const pidOf = ({ name }: Worker) =>
  Effect.map(
    Effect.flatMap(ContainerdWorkers.Machine, ({ ctr }) => ctr("tasks", "list")),
    (tasks) => {
      const [, pid = ""] = new RegExp(`^${name}\\s+(\\d+)`, "m").exec(tasks) ?? []
      return Number(pid)
    }
  )

for (const { name, needed, series } of Containerd.everyVersion("cni")) {
  // The machine's own has all the tests of faults.
  if (series === "containerd") continue

  describe(`workers of ${name}`, { ...needed, timeout: 60_000 }, () => {
    it.live("run on while it is away, are served by it afterwards, and are missed when they have ended meanwhile", () =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const machine = yield* ContainerdWorkers.Machine
        const [one, other] = yield* Effect.all([started, started])
        const pid = yield* pidOf(other)
        yield* machine.stop
        yield* answers(one, 1)
        process.kill(pid, "SIGKILL")
        yield* machine.start
        yield* eventually("one has ended", listed, (states) =>
          states.some(({ id, status }) => id === other.id && status === "STOPPED")
        )
        yield* runtime.suspend(one.id, mine)
        yield* runtime.resume(one.id, mine)
        yield* answers(one, 2)
        yield* answers(yield* started, 3)
        for (const { id } of yield* listed) yield* runtime.destroy(id, mine)
        assert.strictEqual(yield* machine.ctr("containers", "list", "--quiet"), "")
      }).pipe(Effect.provide(ContainerdWorkers.layer({}, { series })))
    )

    it.live("are known to have ended when their shim is killed, and go without a trace", () =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const { ctr } = yield* ContainerdWorkers.Machine
        const worker = yield* started
        const pid = yield* pidOf(worker)
        const [, shim = ""] = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? []
        process.kill(Number(shim), "SIGKILL")
        yield* eventually("the worker is stopped", listed, ([state]) => state?.status === "STOPPED")
        yield* runtime.destroy(worker.id, mine)
        for (const kind of ["containers", "tasks", "leases"]) {
          assert.strictEqual(yield* ctr(kind, "list", "--quiet"), "")
        }
        assert.notInclude(yield* ctr("snapshots", "list"), "Active")
      }).pipe(Effect.provide(ContainerdWorkers.layer({}, { series })))
    )

    it.live("are taken over by the next Agent, those that were frozen too", () => {
      const run = Effect.provide(ContainerdWorkers.onMachine(), { local: true })
      return Effect.gen(function* () {
        const frozen = yield* run(
          Effect.gen(function* () {
            const runtime = yield* ContainerRuntime
            const worker = yield* started
            yield* runtime.suspend(worker.id, mine)
            return worker
          })
        )
        yield* run(
          Effect.gen(function* () {
            const runtime = yield* ContainerRuntime
            const [state] = yield* eventually("it is idle", listed, ([state]) => state?.phase === "idle", 15_000)
            assert.deepInclude(state, { id: frozen.id, status: "PAUSED" })
            yield* runtime.resume(frozen.id, mine)
            yield* answers(state ?? frozen, 1)
            yield* runtime.destroy(frozen.id, mine)
          })
        )
      }).pipe(Effect.provide(ContainerdWorkers.machine({ series })))
    })
  })
}
