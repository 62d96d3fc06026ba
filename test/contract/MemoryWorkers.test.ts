/** What tests of everything above workers build on: functions that are plain TypeScript, with the clock of the test. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { FunctionName } from "#domain/FunctionName"
import { OwnerId } from "#domain/Worker"
import * as MemoryContainerRuntime from "#layers/memory/MemoryContainerRuntime"
import * as MemoryWorkerClient from "#layers/memory/MemoryWorkerClient"
import * as MemoryWorkers from "#layers/memory/MemoryWorkers"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import { specOf } from "#test/support/WorkerFunctions"
import { call } from "./ContainerRuntimeContract.ts"

const mine = OwnerId.make("gateway-mine")

const functions = {
  double: { handler: (event: unknown) => Number(event) * 2 },
  later: { handler: async (event: unknown) => event },
  boom: {
    handler: () => {
      throw new RangeError("boom")
    }
  },
  refuse: { handler: () => Promise.reject(new TypeError("no")) },
  leave: { handler: (_event: unknown, { exit }: MemoryWorkers.MemoryContext) => exit(9) },
  talk: {
    handler: (_event: unknown, { log }: MemoryWorkers.MemoryContext) => {
      log("hello")
      return null
    }
  },
  slow: { effect: () => Effect.as(Effect.sleep("2 seconds"), "done") },
  unready: { init: () => Effect.fail(new Error("not today")), handler: () => null },
  tardy: { init: () => Effect.sleep("1 minute"), handler: () => null }
} satisfies Record<string, MemoryWorkers.MemoryFunction>

const layer = Layer.mergeAll(MemoryContainerRuntime.layer(), MemoryWorkerClient.layer).pipe(
  Layer.provide(MemoryWorkers.layer(functions))
)

const start = Effect.fnUntraced(function* (name: keyof typeof functions) {
  const runtime = yield* ContainerRuntime
  const spec = specOf(`artifact:sha256:${"0".repeat(64)}`, name, { timeoutMs: 3_000 })
  return yield* runtime.ensure({ ...spec, functionName: FunctionName.make(name) }, mine)
})

const send = Effect.fnUntraced(function* (name: keyof typeof functions, event: unknown = null) {
  const client = yield* WorkerClient
  const worker = yield* start(name)
  yield* client.ready(worker)
  return yield* client.send(worker, { ...call(worker, event), wantsLogTail: true })
})

const bodyOf = ({ payload }: { readonly payload: Uint8Array }): unknown => JSON.parse(Buffer.from(payload).toString())

describe("functions in memory", () => {
  it.layer(layer)((it) => {
    it.effect("return and promise their results", () =>
      Effect.gen(function* () {
        assert.strictEqual(bodyOf(yield* send("double", 21)), 42)
        assert.deepStrictEqual(bodyOf(yield* send("later", { n: 1 })), { n: 1 })
      })
    )

    it.effect("throw and refuse as functions of AWS do", () =>
      Effect.gen(function* () {
        const boom = yield* send("boom")
        assert.strictEqual(boom.errorType, "RangeError")
        assert.deepStrictEqual(bodyOf(boom), { errorType: "RangeError", errorMessage: "boom" })
        assert.strictEqual((yield* send("refuse")).errorType, "TypeError")
      })
    )

    it.effect("may end their worker", () =>
      Effect.gen(function* () {
        const failure = yield* Effect.flip(send("leave"))
        assert.deepInclude(failure, { _tag: "WorkerExited", errorType: "Runtime.ExitError" })
        assert.match(JSON.stringify(bodyOf(failure as { payload: Uint8Array })), /exit status 9/)
      })
    )

    it.effect("write a log whose tail the caller gets", () =>
      Effect.gen(function* () {
        const { logTail } = yield* send("talk")
        assert.match(Buffer.from(logTail).toString(), /^START RequestId: .*\nhello\nEND RequestId: .*\nREPORT .*\n$/)
      })
    )

    it.effect("take the time that the clock of the test says", () =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(send("slow"))
        yield* TestClock.adjust("2 seconds")
        const { payload, report } = yield* Fiber.join(fiber)
        assert.strictEqual(bodyOf({ payload }), "done")
        assert.strictEqual(report.durationMs, 2_000)
      })
    )

    it.effect("fail their start, or take too long for it", () =>
      Effect.gen(function* () {
        const failure = yield* Effect.flip(send("unready"))
        assert.deepInclude(failure, { _tag: "InitFailed", errorType: "Error" })
        const fiber = yield* Effect.forkChild(Effect.flip(send("tardy")))
        yield* TestClock.adjust("10 seconds")
        assert.deepInclude(yield* Fiber.join(fiber), { _tag: "InitFailed", errorType: "Sandbox.Timedout" })
      })
    )
  })
})
