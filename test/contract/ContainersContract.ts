/** What every engine that runs images promises of its workers, beyond what those of all engines do. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import type { Worker } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import { type ContainerEngine, EngineMachine } from "#test/support/ContainerEngines"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as LentWorkers from "#test/support/LentWorkers"
import * as RecordedLog from "#test/support/RecordedLog"
import { type Asked, specOf, WorkerFunctions } from "#test/support/WorkerFunctions"
import { call } from "./ContainerRuntimeContract.ts"

const functionNamed = (handler: string, asked?: Asked) =>
  Effect.map(WorkerFunctions, ({ spec }) => specOf(spec("echo").image, `index.${handler}`, asked))

const started = (handler: string, asked?: Asked) => Effect.flatMap(functionNamed(handler, asked), LentWorkers.started)

const answerOf = Effect.fnUntraced(function* (worker: Worker, event: unknown) {
  const client = yield* WorkerClient
  const { payload } = yield* client.send(worker, call(worker, event))
  return JSON.parse(Buffer.from(payload).toString()) as unknown
})

/** What a shell in the container of a worker says, which has the worker's rights. */
const inside = (worker: Worker, command: string) =>
  Effect.flatMap(EngineMachine, (machine) => machine.inside(worker, command))

type Run = ContainerRuntime | EngineMachine | Scope.Scope | WorkerClient | WorkerFunctions

export const suite = <M>({ machine, name, needs: needed, run }: ContainerEngine<M>) =>
  describe(`workers in containers of ${name}`, { ...needs(...needed), timeout: 60_000 }, () => {
    it.layer(machine, { timeout: "60 seconds", excludeTestServices: true })((it) => {
      const test = <E>(title: string, body: (log: RecordedLog.RecordedLog) => Effect.Effect<void, E, Run>) =>
        it.effect(title, () => {
          const log = RecordedLog.make()
          return body(log).pipe(Effect.scoped, Effect.provide(run({ log })))
        })

      test("have no rights but to run, and nowhere to write but /tmp", () =>
        Effect.gen(function* () {
          const worker = yield* started("echo")
          assert.strictEqual(yield* inside(worker, "id -u"), "993")
          const status = yield* inside(worker, "cat /proc/1/status")
          assert.match(status, /^CapEff:\s+0+\s*$/m)
          assert.match(status, /^CapBnd:\s+0+\s*$/m)
          assert.match(status, /^NoNewPrivs:\s+1\s*$/m)
          assert.match(status, /^Seccomp:\s+2\s*$/m)
          assert.match(yield* inside(worker, "touch /var/task/mine; true"), /Read-only file system/)
          assert.strictEqual(yield* inside(worker, "touch /tmp/mine && ls /tmp"), "mine")
        }))

      test("run as root where the function insists, and even then without its powers", () =>
        Effect.gen(function* () {
          const worker = yield* started("echo", { environment: { RUN_AS_ROOT: "1" } })
          assert.strictEqual(yield* inside(worker, "id -u"), "0")
          assert.match(yield* inside(worker, "cat /proc/1/status"), /^CapEff:\s+0+\s*$/m)
        }))

      test("tell whose runtime ended at once as a failed start", () =>
        Effect.gen(function* () {
          const runtime = yield* ContainerRuntime
          const client = yield* WorkerClient
          const failure = yield* Effect.flip(client.ready(yield* LentWorkers.made(yield* functionNamed("nobody"))))
          assert.strictEqual(failure._tag, "InitFailed")
          yield* eventually(
            "the worker is stopped",
            runtime.list(LentWorkers.mine),
            ([state]) => state?.status === "STOPPED"
          )
        }))

      test("are killed when they take more memory than they have, and the caller is told so", () =>
        Effect.gen(function* () {
          const client = yield* WorkerClient
          const runtime = yield* ContainerRuntime
          const worker = yield* started("hoard", { memoryMiB: 128, timeoutMs: 30_000 })
          const failure = yield* Effect.flip(client.send(worker, call(worker, { megabytes: 400 })))
          assert.strictEqual(failure._tag, "WorkerExited")
          assert.include(Buffer.from((failure as { payload: Uint8Array }).payload).toString(), "Runtime.OutOfMemory")
          const metrics = yield* runtime.metrics(worker.id, LentWorkers.mine)
          assert.deepInclude(metrics, { status: "STOPPED", oomEvents: 1, exitCode: 137 })
        }))

      test("hand what their function writes to the log", (log) =>
        Effect.gen(function* () {
          const worker = yield* started("talk")
          yield* answerOf(worker, { lines: 3, width: 20 })
          yield* eventually(
            "three lines",
            Effect.sync(() => log.records.filter(({ message }) => message.includes("x".repeat(20))).length),
            (count) => count === 3
          )
        }))

      test("get a byte back from their own door, and from no other worker's", () =>
        Effect.gen(function* () {
          const [one, other] = yield* Effect.all([started("visit"), started("visit")])
          const visit = ({ address: { host, port } }: Worker) =>
            answerOf(one, { host, port, path: "/2018-06-01/runtime/nothing" })
          assert.deepStrictEqual(yield* visit(one), { bytes: 1 })
          assert.deepStrictEqual(yield* visit(other), { bytes: 0 })
        }))
    })
  })
