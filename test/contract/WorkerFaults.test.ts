/** Functions that do what no function should: each costs at most its own worker, and leaves nothing behind. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import type { InitFailed, InvocationTimedOut, WorkerExited, WorkerUnreachable } from "#domain/Failure"
import type { Worker } from "#domain/Worker"
import { ArtifactStore } from "#services/ArtifactStore"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import { made, mine } from "#test/support/LentWorkers"
import { needsProc } from "#test/support/Processes"
import * as ProcessWorkers from "#test/support/ProcessWorkers"
import * as RecordedLog from "#test/support/RecordedLog"
import { pidOf } from "#test/support/WorkerFaults"
import { type Asked, samples, specOf } from "#test/support/WorkerFunctions"
import { call } from "./ContainerRuntimeContract.ts"

const stateDirectory = ProcessWorkers.temporaryDirectory()
const log = RecordedLog.make()
const layer = ProcessWorkers.layer({ stateDirectory, log, process: { sampleEveryMs: 20 } })

/** A worker whose scope is the test's; nothing is said yet of whether it is ready. */
const start = Effect.fnUntraced(function* (handler: string, asked?: Asked) {
  const store = yield* ArtifactStore
  const { image } = yield* store.put({ taskDirectory: samples("node"), layerDirectories: [] })
  return yield* made(specOf(image, handler, asked))
})

const send = Effect.fnUntraced(function* (worker: Worker, event: unknown = {}, wantsLogTail = false) {
  const client = yield* WorkerClient
  yield* client.ready(worker)
  return yield* client.send(worker, { ...call(worker, event), wantsLogTail })
})

type Failure = InitFailed | InvocationTimedOut | WorkerExited | WorkerUnreachable

const bodyOf = (failure: Failure): unknown =>
  failure._tag === "WorkerUnreachable" ? failure.detail : JSON.parse(Buffer.from(failure.payload).toString())

const isAlive = Effect.fnUntraced(function* (worker: Worker) {
  return (yield* WorkerClient).isAlive(worker)
})

const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (holds() ? Effect.void : Effect.andThen(Effect.sleep(5), until(holds)))).pipe(
    Effect.timeout(10_000),
    Effect.orDie
  )

describe("a function", () => {
  it.layer(layer, { excludeTestServices: true })((it) => {
    it.effect("that throws costs nobody anything", () =>
      Effect.gen(function* () {
        const worker = yield* start("index.fail")
        for (let turn = 0; turn < 3; turn++) {
          const result = yield* send(worker)
          assert.strictEqual(result.errorType, "TypeError")
          assert.deepInclude(JSON.parse(Buffer.from(result.payload).toString()), { errorMessage: "boom" })
        }
        assert.isTrue(yield* isAlive(worker))
      })
    )

    it.effect("that cannot be loaded fails its start, with the reason", () =>
      Effect.gen(function* () {
        const failure = yield* Effect.flip(send(yield* start("broken.handler")))
        assert.strictEqual(failure._tag, "InitFailed")
        assert.deepInclude(bodyOf(failure), { errorType: "RangeError", errorMessage: "not today" })
      })
    )

    it.effect("that ends while it is loaded fails its start", () =>
      Effect.gen(function* () {
        const failure = yield* Effect.flip(send(yield* start("leaves.handler")))
        assert.strictEqual(failure._tag, "InitFailed")
        assert.match(JSON.stringify(bodyOf(failure)), /Runtime exited with error: exit status 7/)
      })
    )

    it.effect.each([
      [0, "Runtime exited without providing a reason"],
      [3, "Runtime exited with error: exit status 3"]
    ] as const)("that exits ends its call in AWS's words: %j", ([code, words]) =>
      Effect.gen(function* () {
        const worker = yield* start("index.exit")
        const failure = yield* Effect.flip(send(worker, { code }, true))
        assert.deepInclude(failure, { _tag: "WorkerExited", errorType: "Runtime.ExitError" })
        assert.match(JSON.stringify(bodyOf(failure)), new RegExp(words))
        assert.match(Buffer.from((failure as WorkerExited).logTail).toString(), /^START .*\n[^]*END .*\nREPORT .*\n$/)
        assert.isFalse(yield* isAlive(worker))
      })
    )

    it.effect("that aborts ends its call by the name of the signal", () =>
      Effect.gen(function* () {
        const failure = yield* Effect.flip(send(yield* start("index.abort")))
        assert.match(JSON.stringify(bodyOf(failure)), /Runtime exited with error: signal: aborted/)
      })
    )

    it.effect("that hangs is timed out", () =>
      Effect.gen(function* () {
        const worker = yield* start("index.hang", { timeoutMs: 200 })
        const failure = yield* Effect.flip(send(worker))
        assert.strictEqual(failure._tag, "InvocationTimedOut")
        assert.match(JSON.stringify(bodyOf(failure)), /Task timed out after 0\.20 seconds/)
        assert.isFalse(yield* isAlive(worker))
      })
    )

    it.effect("that never yields is timed out as well", () =>
      Effect.gen(function* () {
        const worker = yield* start("index.spin", { timeoutMs: 200 })
        assert.strictEqual((yield* Effect.flip(send(worker, { ms: 5_000 })))._tag, "InvocationTimedOut")
      })
    )

    it.effect("that answers 7 MiB is told the limit, and answers the next call", () =>
      Effect.gen(function* () {
        const worker = yield* start("index.large")
        const result = yield* send(worker, { bytes: 7 * 1_048_576 })
        assert.strictEqual(result.errorType, "Function.ResponseSizeTooLarge")
        const next = yield* send(worker, { bytes: 1_000 })
        assert.deepStrictEqual([next.errorType, next.payload.length], [undefined, 1_000])
      })
    )

    it.effect("that closes its connections loses its call to its deadline, not its neighbours theirs", () =>
      Effect.gen(function* () {
        const [worker, neighbour] = [yield* start("index.cut", { timeoutMs: 500 }), yield* start("index.echo")]
        const fiber = yield* Effect.forkChild(Effect.flip(send(worker)))
        assert.isUndefined((yield* send(neighbour)).errorType)
        assert.include(["InvocationTimedOut", "WorkerExited"], (yield* Fiber.join(fiber))._tag)
        assert.isFalse(yield* isAlive(worker))
      })
    )

    it.effect("that takes more memory than it has is killed, and told why", () =>
      Effect.gen(function* () {
        const runtime = yield* ContainerRuntime
        const worker = yield* start("index.hoard", { memoryMiB: 128 })
        const failure = yield* Effect.flip(send(worker, { megabytes: 400 }))
        assert.deepInclude(failure, { _tag: "WorkerExited", errorType: "Runtime.OutOfMemory" })
        assert.match(JSON.stringify(bodyOf(failure)), /Runtime exited with error: signal: killed/)
        assert.deepInclude(yield* runtime.metrics(worker.id, mine), { oomEvents: 1, exitCode: 137 })
      })
    )

    it.effect("that writes 100 MB of logs is heard up to its rate, and answers", () =>
      Effect.gen(function* () {
        const worker = yield* start("index.flood", { timeoutMs: 30_000 })
        log.records.length = 0
        const result = yield* send(worker, { megabytes: 100 }, true)
        assert.isUndefined(result.errorType)
        const kept = log.records.filter(({ source }) => source === "function")
        const told = kept.filter(({ message }) => /bytes of output were dropped/.test(message))
        assert.isNotEmpty(told)
        const dropped = told.reduce((sum, { message }) => sum + Number(/\d+/.exec(message.slice(5))?.[0]), 0)
        const written = kept.reduce((sum, { message }) => sum + message.length + 1, 0)
        assert.isBelow(Math.abs(dropped + written - 100 * 1_048_576), 1_048_576)
        assert.isBelow(written, 60 * 1_048_576)
        assert.strictEqual(result.logTail.length, 4_096)
        assert.isUndefined((yield* send(worker, { megabytes: 0 })).errorType)
      })
    )

    it.effect("that is killed between two calls makes the next one unreachable", () =>
      Effect.gen(function* () {
        const worker = yield* start("index.echo")
        yield* send(worker)
        const client = yield* WorkerClient
        process.kill(-pidOf(stateDirectory, worker), "SIGKILL")
        yield* until(() => !client.isAlive(worker))
        assert.strictEqual((yield* Effect.flip(client.send(worker, call(worker))))._tag, "WorkerUnreachable")
      })
    )

    it.effect("writes its last words into the log of its call", () =>
      Effect.gen(function* () {
        log.records.length = 0
        const worker = yield* start("index.talk")
        const result = yield* send(worker, { lines: 3, width: 20 }, true)
        const lines = Buffer.from(result.logTail)
          .toString()
          .split("\n")
          .filter((line) => line.includes("x".repeat(20)))
        assert.lengthOf(lines, 3)
        const records = log.records.filter(({ message }) => message.includes("x".repeat(20)))
        assert.lengthOf(records, 3)
        assert.strictEqual(new Set(records.map(({ requestId }) => requestId)).size, 1)
        assert.isDefined(records[0]?.requestId)
      })
    )
  })
})

describe("an engine that has seen all this", needsProc, () => {
  const openFiles = (): number => readdirSync("/proc/self/fd").length

  /** Pids of processes that this one started. */
  const children = (): ReadonlyArray<string> =>
    readFileSync(`/proc/self/task/${process.pid}/children`, "utf8")
      .trim()
      .split(" ")
      .filter((pid) => pid !== "")

  it.live("holds no process, no file, no port and no timer when it is closed", () =>
    Effect.gen(function* () {
      // The bundler of the clients keeps a helper; it must be there before anything is counted.
      yield* Effect.promise(() => ProcessWorkers.clientsDirectory())
      const state = ProcessWorkers.temporaryDirectory()
      const before = { files: openFiles(), children: children().length }
      const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length
      const timersBefore = timers()
      let port = 0
      yield* Effect.gen(function* () {
        const workers = yield* Effect.forEach(["echo", "hang", "exit", "family"], (name) => start(`index.${name}`), {
          concurrency: "unbounded"
        })
        port = workers[0]?.address.port ?? 0
        yield* Effect.forEach(workers, (worker) => Effect.timeoutOption(Effect.exit(send(worker)), 300), {
          concurrency: "unbounded"
        })
      }).pipe(Effect.scoped, Effect.provide(ProcessWorkers.layer({ stateDirectory: state }).pipe(Layer.orDie)))
      yield* until(() => openFiles() <= before.files)
      assert.isAtMost(children().length, before.children)
      // The timer of this very look, and those of the test runner.
      assert.isAtMost(timers(), timersBefore + 1)
      assert.deepStrictEqual(readdirSync(join(state, "workers")), [])
      const server = createServer()
      yield* Effect.callback<void>((resume) => void server.listen(port, "127.0.0.1", () => resume(Effect.void)))
      server.close()
    })
  )
})
