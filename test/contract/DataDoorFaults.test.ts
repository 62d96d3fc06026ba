import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer } from "effect"
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import type { DoorLimits } from "#layers/grpc/door/AgentDoor"
import * as HttpWorkerClient from "#layers/grpc/door/HttpWorkerClient"
import { WorkerClient } from "#services/WorkerClient"
import { certificatesOf, type Watched, watchLayer } from "#test/support/DataDoorBench"
import type { Hosted } from "#test/support/DataDoorHost"
import { eventually } from "#test/support/Eventually"
import { freeze, kill } from "#test/support/Faults"
import { invocation, text, until } from "#test/support/OpenDoor"
import { isAlive } from "#test/support/Processes"

const program = fileURLToPath(new URL("../support/DataDoorHost.ts", import.meta.url))

/** Of a process that reads its program as it was written, on a machine that has other things to do. */
const startLimitMs = 15_000

/** An Agent in a process of its own, and what it has said. */
const host = Effect.gen(function* () {
  const said: Array<string> = []
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "inherit"] })),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  createInterface({ input: child.stdout }).on("line", (line) => said.push(line))
  yield* eventually(
    "the Agent listens",
    Effect.sync(() => said.length),
    (lines) => lines > 0,
    startLimitMs
  )
  const calls = () => said.filter((line) => line === "called").length
  return { ...(JSON.parse(said[0] ?? "") as Hosted), pid: child.pid ?? 0, calls }
})

const client = Effect.fnUntraced(function* (limits: Partial<DoorLimits> = {}) {
  const watched: Watched = { lost: [], refreshed: [] }
  const services = yield* Layer.build(
    HttpWorkerClient.layerWith(limits).pipe(Layer.provide([watchLayer(watched), certificatesOf(undefined)]))
  )
  return { ...Context.get(services, WorkerClient), watched }
})

describe("an Agent that is killed", () => {
  it.live("in the middle of a call costs the call, which is told and not made again", () =>
    Effect.gen(function* () {
      const { calls, pid, silent } = yield* host
      const { send, watched } = yield* client()
      const fiber = yield* Effect.forkScoped(Effect.flip(send(silent, invocation())))
      yield* until(() => calls() === 1)
      yield* kill(pid)
      const failure = yield* Fiber.join(fiber)
      assert.deepInclude(failure, { _tag: "WorkerExited", errorType: "Sandbox.Failure" })
      assert.deepStrictEqual([calls(), watched], [1, { lost: [], refreshed: [] }])
    })
  )

  it.live("between two calls is noticed before the second is sent", () =>
    Effect.gen(function* () {
      const { echo, pid } = yield* host
      const { send, watched } = yield* client()
      assert.strictEqual(text((yield* send(echo, invocation())).payload), '{"n":1}')
      yield* kill(pid)
      // Only then are its connections closed.
      yield* until(() => !isAlive(pid))
      yield* Effect.sleep(50)
      const failure = yield* Effect.flip(send(echo, invocation()))
      assert.deepInclude(failure, { _tag: "WorkerUnreachable", containerId: echo.id })
      assert.deepStrictEqual(watched, { lost: [], refreshed: [echo.id] })
    })
  )
})

describe("an Agent that stands still", () => {
  it.live("before it is called gets no event", () =>
    Effect.gen(function* () {
      const { calls, pid, silent } = yield* host
      const { send } = yield* client({ connectLimitMs: 200 })
      yield* freeze(pid)
      assert.deepInclude(yield* Effect.flip(send(silent, invocation())), { _tag: "WorkerUnreachable" })
      process.kill(pid, "SIGCONT")
      yield* Effect.sleep(100)
      assert.strictEqual(calls(), 0)
    })
  )

  it.live("in the middle of a call is given up after its silence", () =>
    Effect.gen(function* () {
      const { calls, pid, silent } = yield* host
      const silenceLimitMs = 1_000
      const { send } = yield* client({ pulseEveryMs: 50, silenceLimitMs })
      const fiber = yield* Effect.forkScoped(Effect.flip(send(silent, invocation())))
      yield* until(() => calls() === 1)
      yield* Effect.sleep(silenceLimitMs + 200)
      assert.isUndefined(fiber.pollUnsafe())
      yield* freeze(pid)
      assert.deepInclude(yield* Fiber.join(fiber), { _tag: "WorkerExited", errorType: "Sandbox.Failure" })
    })
  )

  it.live("for a moment only costs nothing but time", () =>
    Effect.gen(function* () {
      const { echo, pid } = yield* host
      const { ready, send } = yield* client()
      yield* ready(echo)
      yield* freeze(pid)
      const fiber = yield* Effect.forkScoped(send(echo, invocation()))
      yield* Effect.sleep(200)
      process.kill(pid, "SIGCONT")
      assert.strictEqual(text((yield* Fiber.join(fiber)).payload), '{"n":1}')
    })
  )
})
