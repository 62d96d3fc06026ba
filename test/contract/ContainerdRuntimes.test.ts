/** Workers of containerd by other runtimes than runc: the same promises, and what is different about each. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer } from "effect"
import { existsSync, readFileSync, readlinkSync } from "node:fs"
import { join } from "node:path"
import type { Worker } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import * as Containerd from "#test/support/Containerd"
import { functionNamed, left, mine, nothing, started, taskOf, tasks } from "#test/support/ContainerdSamples"
import * as ContainerdWorkers from "#test/support/ContainerdWorkers"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as LentWorkers from "#test/support/LentWorkers"
import * as Processes from "#test/support/Processes"
import * as RuncsPlace from "#test/support/RuncsPlace"
import type { Asked } from "#test/support/WorkerFunctions"
import { call, suite } from "./ContainerRuntimeContract.ts"

const answerOf = Effect.fnUntraced(function* (worker: Worker, event: unknown) {
  const client = yield* WorkerClient
  const result = yield* client.send(worker, call(worker, event))
  return JSON.parse(Buffer.from(result.payload).toString()) as unknown
})

const timeout = 60_000

for (const [name, program] of [
  ["crun", RuncsPlace.crun],
  ["runsc", RuncsPlace.gVisor]
] as const) {
  const options = needs("containerd", "cni", name)
  describe(`workers in containers of containerd by ${name}`, options, () => {
    if ("skip" in options) return
    const layer = ContainerdWorkers.layer({ containerd: { runtimeProgram: program() } })
    suite(`containerd, ${name}`, layer, { measures: true, artifacts: false })
  })
}

/** A worker that is gone with the test. */
const lent = (handler: string, asked?: Asked) => Effect.flatMap(functionNamed(handler, asked), LentWorkers.started)

/** On the machine of the tests around. */
const inPlaceOfRunc = (program: () => string) =>
  Effect.provide(Layer.suspend(() => ContainerdWorkers.onMachine({ containerd: { runtimeProgram: program() } })))

/** As any worker, through all that becomes of one; nothing is left of it. */
const lives = Effect.gen(function* () {
  const runtime = yield* ContainerRuntime
  const worker = yield* started(yield* functionNamed("echo"))
  assert.deepStrictEqual(yield* answerOf(worker, { n: 1 }), { n: 1 })
  yield* runtime.suspend(worker.id, mine)
  yield* runtime.resume(worker.id, mine)
  assert.deepStrictEqual(yield* answerOf(worker, { n: 2 }), { n: 2 })
  yield* runtime.destroy(worker.id, mine)
  assert.deepStrictEqual(yield* left, nothing)
})

for (const { name, needed, series } of Containerd.everyVersion("cni")) {
  describe(`on ${name}`, needed, () => {
    it.layer(ContainerdWorkers.machine({ series }), { timeout, excludeTestServices: true })((it) => {
      describe("containers of crun", { ...needs("crun"), timeout }, () => {
        const by = inPlaceOfRunc(RuncsPlace.crun)

        it.effect("are called, frozen, woken and gone", () => lives.pipe(by))

        it.effect("are crun's, and hardened as runc's", () =>
          Effect.gen(function* () {
            const { namespace } = yield* ContainerdWorkers.Machine
            const worker = yield* lent("echo")
            const inState = (file: string) => existsSync(join("/run/containerd/runc", namespace, worker.name, file))
            assert.deepStrictEqual([inState("status"), inState("state.json")], [true, false])
            const inside = (command: string) => ContainerdWorkers.inside(worker, command)
            assert.strictEqual(yield* inside("id -u"), "993")
            const status = yield* inside("cat /proc/1/status")
            for (const line of [/^CapBnd:\s+0+\s*$/m, /^NoNewPrivs:\s+1\s*$/m, /^Seccomp:\s+2\s*$/m])
              assert.match(status, line)
            assert.match(yield* inside("touch /var/task/mine; true"), /Read-only file system/)
          }).pipe(Effect.scoped, by)
        )
      })

      describe("containers of gVisor", { ...needs("runsc"), timeout }, () => {
        const by = inPlaceOfRunc(RuncsPlace.gVisor)

        it.effect("are called, frozen, woken and gone", () => lives.pipe(by))

        it.effect("run their function on a kernel that is not the machine's", () =>
          Effect.gen(function* () {
            const worker = yield* lent("read")
            const { text } = (yield* answerOf(worker, { path: "/proc/version" })) as { readonly text: string }
            assert.match(text, /^Linux version 4\.4\.0 /)
            assert.notStrictEqual(text, readFileSync("/proc/version", "utf8"))
          }).pipe(Effect.scoped, by)
        )

        it.effect("have no rights and a root that not even root can write to, and a place for what is temporary", () =>
          Effect.gen(function* () {
            const worker = yield* lent("echo")
            assert.strictEqual(yield* ContainerdWorkers.inside(worker, "id -u"), "993")
            const root = yield* lent("echo", { environment: { RUN_AS_ROOT: "1" } })
            const inside = (command: string) => ContainerdWorkers.inside(root, `${command}; true`)
            assert.strictEqual(yield* inside("id -u"), "0")
            assert.match(yield* inside("touch /var/task/mine"), /Read-only file system/)
            assert.strictEqual(yield* inside("touch /tmp/mine && ls /tmp"), "mine")
            const status = yield* inside("cat /proc/1/status")
            assert.match(status, /^CapBnd:\s+0+\s*$/m)
            // Its own kernel is the filter: ours is not put before that.
            assert.match(status, /^Seccomp:\s+0\s*$/m)
          }).pipe(Effect.scoped, by)
        )

        it.effect("are killed when they take more memory than they have, and the caller is told so", () =>
          Effect.gen(function* () {
            const client = yield* WorkerClient
            const runtime = yield* ContainerRuntime
            const worker = yield* lent("hoard", { memoryMiB: 128 })
            const failure = yield* Effect.flip(client.send(worker, call(worker, { megabytes: 400 })))
            assert.deepInclude(failure, { _tag: "WorkerExited", errorType: "Runtime.OutOfMemory" })
            const metrics = yield* runtime.metrics(worker.id, mine)
            assert.deepInclude(metrics, { status: "STOPPED", oomEvents: 1, exitCode: 137 })
          }).pipe(Effect.scoped, by)
        )

        it.effect("are gone where their start was not wanted to its end", () =>
          Effect.gen(function* () {
            const runtime = yield* ContainerRuntime
            const spec = yield* functionNamed("echo")
            for (const afterMs of [60, 120, 180]) {
              const fiber = yield* Effect.forkChild(runtime.ensure(spec, mine))
              yield* Effect.sleep(afterMs)
              yield* Fiber.interrupt(fiber)
              const exit = yield* Fiber.await(fiber)
              // It was done before it could be interrupted.
              if (Exit.isSuccess(exit)) yield* runtime.destroy(exit.value.id, mine)
            }
            assert.deepStrictEqual(yield* left, nothing)
          }).pipe(by)
        )

        it.effect("that were made ahead go at once although gVisor kills nothing that has not begun", () =>
          Effect.gen(function* () {
            const containerd = { runtimeProgram: RuncsPlace.gVisor(), preparedPerSpec: 1 }
            const { endedAtMs, pid } = yield* Effect.gen(function* () {
              yield* lent("echo")
              const created = Effect.map(tasks, (all) => all.filter(({ state }) => state === "CREATED"))
              const [task] = yield* eventually("one is made ahead", created, ({ length }) => length === 1, 20_000)
              return { pid: task?.pid ?? 0, endedAtMs: performance.now() }
            }).pipe(Effect.scoped, Effect.provide(ContainerdWorkers.onMachine({ containerd }), { local: true }))
            // Left to containerd 2, each takes 10 seconds.
            assert.isBelow(performance.now() - endedAtMs, 9_000)
            assert.isFalse(Processes.isAlive(pid))
            assert.deepStrictEqual(yield* left, nothing)
          })
        )
      })
    })
  })

  describe(`containers of ${name} and a shim that is called aws.firecracker`, { ...needed, timeout }, () => {
    const machine = (...shims: ReadonlyArray<string>) =>
      Layer.provideMerge(
        ContainerdWorkers.onMachine({ containerd: { runtime: "aws.firecracker", runtimeProgram: "esb-test-of-runc" } }),
        ContainerdWorkers.machine({ shims, series })
      )

    it.live("are started by it without runc's options, called, frozen, woken and gone", () => {
      const shims = RuncsPlace.shimNamed("containerd-shim-aws-firecracker")
      return Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const { ctr } = yield* ContainerdWorkers.Machine
        const worker = yield* started(yield* functionNamed("echo"))
        assert.include(yield* ctr("containers", "list"), "aws.firecracker")
        const { pid } = yield* taskOf(worker)
        const [, shim = ""] = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? []
        assert.strictEqual(readlinkSync(`/proc/${shim}/exe`), join(shims, "containerd-shim-aws-firecracker"))
        assert.deepStrictEqual(yield* answerOf(worker, { n: 1 }), { n: 1 })
        yield* runtime.suspend(worker.id, mine)
        yield* runtime.resume(worker.id, mine)
        assert.deepStrictEqual(yield* answerOf(worker, { n: 2 }), { n: 2 })
        yield* runtime.destroy(worker.id, mine)
        assert.deepStrictEqual(yield* left, nothing)
      }).pipe(Effect.provide(machine(shims)))
    })

    it.live("are refused where there is no such shim, which is named with the place it belongs to", () =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const failure = yield* Effect.flip(runtime.ensure(yield* functionNamed("echo"), mine))
        assert.strictEqual(failure._tag, "RuntimeUnavailable")
        const missing = "there is no containerd-shim-aws-firecracker on the PATH of containerd"
        assert.include(failure.message, `runtime aws.firecracker is not installed: ${missing}`)
        assert.deepStrictEqual(yield* left, nothing)
      }).pipe(Effect.provide(machine()))
    )
  })
}
