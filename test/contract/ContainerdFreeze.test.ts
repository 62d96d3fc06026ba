/** Containers of containerd that are frozen: by the kernel's file, or by containerd where there is none. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Worker } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import { functionNamed, left, listed, mine, nothing, started, taskOf } from "#test/support/ContainerdSamples"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as FaultyContainerd from "#test/support/FaultyContainerd"
import * as Freezers from "#test/support/Freezers"
import * as Processes from "#test/support/Processes"
import { call } from "./ContainerRuntimeContract.ts"

const answers = Effect.fnUntraced(function* (worker: Worker) {
  const client = yield* WorkerClient
  const result = yield* client.send(worker, call(worker, { n: 1 }))
  assert.deepStrictEqual(JSON.parse(Buffer.from(result.payload).toString()), { n: 1 })
})

const frozen = Effect.gen(function* () {
  const runtime = yield* ContainerRuntime
  const worker = yield* started(yield* functionNamed("echo"))
  yield* runtime.suspend(worker.id, mine)
  return worker
})

const freezeLabel = ({ name }: Worker) =>
  Effect.flatMap(ContainerdWorkers.Machine, ({ ctr }) =>
    Effect.map(
      ctr("containers", "info", name),
      (text) => (JSON.parse(text) as { Labels: Record<string, string> }).Labels["com.esb.freeze"]
    )
  )

/** Takes runc's place, and puts every container into a control group that is not called after it. */
const elsewhere = `#!/bin/sh
bundle=
for each in "$@"; do
  [ "$last" = "--bundle" ] && bundle="$each"
  last="$each"
done
[ -n "$bundle" ] && sed -i 's#"cgroupsPath":"\\([^"]*\\)"#"cgroupsPath":"\\1-elsewhere"#' "$bundle/config.json"
exec runc "$@"
`

const runtimeElsewhere = Effect.acquireRelease(
  Effect.sync(() => {
    const path = join(mkdtempSync(join(tmpdir(), "esb-runtime-")), "elsewhere")
    writeFileSync(path, elsewhere)
    chmodSync(path, 0o755)
    return path
  }),
  (path) => Effect.sync(() => rmSync(join(path, ".."), { recursive: true }))
)

const timeout = { timeout: 60_000 }

describe("frozen containers of containerd", { ...needs("containerd", "cni"), ...timeout }, () => {
  it.live("stand still by the kernel's file, of which containerd does not know, and answer once thawed", () =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const worker = yield* frozen
      const { pid, state } = yield* taskOf(worker)
      assert.isTrue(Freezers.isFrozen(pid))
      assert.strictEqual(state, "RUNNING")
      assert.strictEqual(yield* freezeLabel(worker), "cgroup")
      assert.strictEqual((yield* listed)[0]?.status, "PAUSED")
      yield* runtime.suspend(worker.id, mine)
      yield* runtime.resume(worker.id, mine)
      assert.isFalse(Freezers.isFrozen(pid))
      yield* answers(worker)
    }).pipe(Effect.provide(ContainerdWorkers.layer({ containerd: { freeze: "cgroup" } })))
  )

  it.live("stand still by containerd where that is wished", () =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const worker = yield* frozen
      assert.strictEqual((yield* taskOf(worker)).state, "PAUSED")
      assert.strictEqual(yield* freezeLabel(worker), "task")
      yield* runtime.resume(worker.id, mine)
      yield* answers(worker)
    }).pipe(Effect.provide(ContainerdWorkers.layer({ containerd: { freeze: "task" } })))
  )

  it.live("are woken also where containerd froze them and nobody heard of it", () => {
    const faulty = FaultyContainerd.make()
    return Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const worker = yield* started(yield* functionNamed("echo"))
      faulty.fail("Tasks.Pause", "unanswered")
      assert.include((yield* Effect.flip(runtime.suspend(worker.id, mine))).message, "does not answer")
      assert.strictEqual((yield* taskOf(worker)).state, "PAUSED")
      yield* runtime.resume(worker.id, mine)
      yield* answers(worker)
    }).pipe(Effect.provide(ContainerdWorkers.layer({ between: faulty.layer, containerd: { freeze: "task" } })))
  })

  it.live("stand still by containerd where their runtime gives them no control group of their own", () =>
    Effect.gen(function* () {
      const runtimeProgram = yield* runtimeElsewhere
      yield* Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const workers = [yield* frozen, yield* frozen]
        for (const worker of workers) {
          assert.strictEqual((yield* taskOf(worker)).state, "PAUSED")
          assert.strictEqual(yield* freezeLabel(worker), "task")
          yield* runtime.resume(worker.id, mine)
          yield* answers(worker)
        }
      }).pipe(Effect.provide(ContainerdWorkers.layer({ containerd: { runtimeProgram } })))
    }).pipe(Effect.scoped)
  )

  it.live("are not started, and leave nothing, where the kernel's file is insisted on and there is none", () =>
    Effect.gen(function* () {
      const runtimeProgram = yield* runtimeElsewhere
      yield* Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const failure = yield* Effect.flip(runtime.ensure(yield* functionNamed("echo"), mine))
        assert.strictEqual(failure._tag, "RuntimeUnavailable")
        assert.include(failure.message, "CONTAINERD_FREEZE=cgroup is impossible")
        assert.deepStrictEqual(yield* left, nothing)
      }).pipe(Effect.provide(ContainerdWorkers.layer({ containerd: { runtimeProgram, freeze: "cgroup" } })))
    }).pipe(Effect.scoped)
  )

  it.live("leave nothing when they are destroyed, nor when they were killed before", () =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const [one, other] = [yield* frozen, yield* frozen]
      const { pid } = yield* taskOf(other)
      process.kill(pid, "SIGKILL")
      yield* runtime.destroy(one.id, mine)
      yield* runtime.destroy(other.id, mine)
      assert.isFalse(Processes.isAlive(pid))
      assert.deepStrictEqual(yield* left, nothing)
    }).pipe(Effect.provide(ContainerdWorkers.layer()))
  )

  it.live("that lose who looks after them are known to have ended, and go without a trace", () =>
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const worker = yield* frozen
      const { pid } = yield* taskOf(worker)
      const [, shim = ""] = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? []
      process.kill(Number(shim), "SIGKILL")
      yield* eventually("the worker is stopped", listed, ([state]) => state?.status === "STOPPED", 20_000)
      const failure = yield* Effect.flip(runtime.resume(worker.id, mine))
      assert.include(failure.message, "is not running")
      yield* runtime.destroy(worker.id, mine)
      yield* eventually(
        "its process is gone",
        Effect.sync(() => existsSync(`/proc/${pid}`)),
        (isThere) => !isThere
      )
      assert.deepStrictEqual(yield* left, nothing)
    }).pipe(Effect.provide(ContainerdWorkers.layer()))
  )
})

describe("frozen containers whose Agent comes back", { ...needs("containerd", "cni"), ...timeout }, () => {
  for (const freeze of ["cgroup", "task"] as const) {
    it.live(`are thawed for a moment and frozen the way they were (${freeze}), whatever its settings say now`, () => {
      const run = (given: "cgroup" | "task") =>
        Effect.provide(ContainerdWorkers.onMachine({ containerd: { freeze: given } }), { local: true })
      return Effect.gen(function* () {
        const worker = yield* run(freeze)(frozen)
        const { pid } = yield* taskOf(worker)
        assert.isTrue(Freezers.isFrozen(pid))
        yield* Effect.gen(function* () {
          const runtime = yield* ContainerRuntime
          assert.deepStrictEqual(
            (yield* listed).map(({ id, status }) => [id, status]),
            [[worker.id, "PAUSED"]]
          )
          yield* eventually("the worker is idle", listed, ([state]) => state?.phase === "idle", 15_000)
          yield* eventually(
            "it is frozen",
            Effect.sync(() => Freezers.isFrozen(pid)),
            (isFrozen) => isFrozen
          )
          const told = freeze === "task" ? "PAUSED" : "RUNNING"
          yield* eventually("containerd knows it as it does", taskOf(worker), ({ state }) => state === told)
          yield* runtime.resume(worker.id, mine)
          yield* answers((yield* listed)[0] ?? worker)
          yield* runtime.suspend(worker.id, mine)
          yield* runtime.destroy(worker.id, mine)
        }).pipe(run(freeze === "task" ? "cgroup" : "task"))
        assert.deepStrictEqual(yield* left, nothing)
      }).pipe(Effect.provide(ContainerdWorkers.machine()))
    })
  }

  it.live("are removed where they cannot be taken over", () => {
    const before = Effect.provide(ContainerdWorkers.onMachine({ door: { ports: { first: 20_000, last: 20_999 } } }), {
      local: true
    })
    const after = Effect.provide(ContainerdWorkers.onMachine({ door: { ports: { first: 21_000, last: 21_999 } } }), {
      local: true
    })
    return Effect.gen(function* () {
      const worker = yield* before(frozen)
      const { pid } = yield* taskOf(worker)
      assert.deepStrictEqual(yield* after(listed), [])
      assert.isFalse(Processes.isAlive(pid))
      assert.deepStrictEqual(yield* left, nothing)
    }).pipe(Effect.provide(ContainerdWorkers.machine()))
  })
})
