/** Processes that are killed or stand still: what callers see of it, and what is left of them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Result } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { eventually } from "#test/support/Eventually"
import * as Faults from "#test/support/Faults"
import * as Processes from "#test/support/Processes"
import * as Stack from "#test/support/Stack"

interface Served {
  readonly worker: string
  readonly calls: number
  readonly pid: number
}

const served = Effect.fnUntraced(function* (functionName: string, ms = 0) {
  const stack = yield* Stack.Running
  const { functionError, payload } = yield* Stack.invoke(stack, functionName, { ms })
  assert.isUndefined(functionError)
  return payload as Served
})

const isBusy = (stack: Stack.Stack, functionName: string) =>
  eventually(`${functionName} is in a call`, Stack.phases(stack, functionName), (phases) => phases.includes("busy"))

const isDead = (pid: number) =>
  eventually(
    `process ${pid} ends`,
    Effect.sync(() => Processes.isAlive(pid)),
    (alive) => !alive
  )

/** A call that runs and fails: its error, and its request id. */
const fault = Effect.fnUntraced(function* (call: Effect.Effect<Stack.Answer, Stack.Refusal>) {
  const { functionError, payload, requestId, status } = yield* call
  assert.deepStrictEqual([status, functionError], [200, "Unhandled"])
  return { error: payload, requestId }
})

/** Workers belong to whoever has started them: to the Gateway itself, or to an Agent, which goes on without it. */
const behindAnAgent = process.env["ESB_AGENT"] === "1"
const fate = behindAnAgent ? "go on" : "end"
const callOfTheKilledMs = behindAnAgent ? 2_500 : 9_000

describe("A process", Processes.needsProc, () => {
  it.layer(Stack.layer(), Stack.live)("of a running stack", (it) => {
    it.effect("of a worker that is killed in a call ends the call, and not the next one", () =>
      Effect.gen(function* () {
        const stack = yield* Stack.Running
        const { pid, worker } = yield* served("slow")
        const call = yield* Effect.forkChild(fault(Stack.invoke(stack, "slow", { ms: 8_000 })))
        yield* isBusy(stack, "slow")
        yield* Faults.kill(pid)
        const { error, requestId } = yield* Fiber.join(call)
        assert.deepStrictEqual(error, {
          errorType: "Runtime.ExitError",
          errorMessage: `RequestId: ${requestId} Error: Runtime exited with error: signal: killed`
        })
        assert.notStrictEqual((yield* served("slow")).worker, worker)
      })
    )

    it.effect("of a worker that is killed at rest is not missed by the next call", () =>
      Effect.gen(function* () {
        const { pid, worker } = yield* served("slow")
        yield* Faults.kill(pid)
        yield* isDead(pid)
        assert.notStrictEqual((yield* served("slow")).worker, worker)
      })
    )

    it.effect("of a provisioned worker that is killed at rest is replaced before anybody calls", () =>
      Effect.gen(function* () {
        const stack = yield* Stack.Running
        const { pid } = yield* served("provisioned")
        yield* Faults.kill(pid)
        const rested = Effect.map(Stack.pool(stack, "provisioned"), ({ idle }) => ({
          idle,
          killed: Processes.isAlive(pid)
        }))
        yield* eventually("two workers rest", rested, ({ idle, killed }) => idle === 2 && !killed)
        const workers = yield* Effect.all([served("provisioned", 100), served("provisioned", 100)], {
          concurrency: "unbounded"
        })
        assert.notInclude(
          workers.map((each) => each.pid),
          pid
        )
      })
    )

    it.effect("of a worker that stands still costs its call no more than the Timeout, and is gone", () =>
      Effect.gen(function* () {
        const stack = yield* Stack.Running
        const { pid } = yield* served("brief")
        // One that has not asked again would never get the call.
        yield* eventually("the worker asks again", Stack.phases(stack, "brief"), (phases) => phases.join() === "idle")
        yield* Faults.freeze(pid)
        const { error, requestId } = yield* fault(Stack.invoke(stack, "brief", { ms: 0 }))
        assert.deepStrictEqual(error, {
          errorType: "Sandbox.Timedout",
          errorMessage: `RequestId: ${requestId} Error: Task timed out after 1.00 seconds`
        })
        yield* isDead(pid)
        assert.notStrictEqual((yield* served("brief")).pid, pid)
      })
    )

    it.effect(`of the Gateway that is killed is replaced at the same port, and its workers ${fate}`, () =>
      Effect.gen(function* () {
        const stack = yield* Stack.Running
        const before = yield* served("single")
        const file = join(stack.directory, "outlived")
        yield* Effect.forkChild(Effect.exit(Stack.invoke(stack, "crowd", { ms: callOfTheKilledMs, file })))
        yield* isBusy(stack, "crowd")
        const gateway = yield* Effect.promise(stack.gatewayPid)
        const workers = Processes.of(stack.home).filter(({ command }) => command.includes("/clients/"))
        assert.isAtLeast(workers.length, 2)

        yield* Faults.kill(gateway)
        const answer = yield* eventually(
          "somebody answers at the same address",
          Effect.result(Stack.invoke(stack, "echo", { again: true })),
          Result.isSuccess
        )
        assert.deepInclude(Result.getOrThrow(answer).payload, { event: { again: true } })
        assert.notStrictEqual(yield* Effect.promise(stack.gatewayPid), gateway)
        if (behindAnAgent) {
          const after = yield* served("single")
          assert.deepStrictEqual([after.worker, after.calls], [before.worker, before.calls + 1])
          yield* eventually(
            "the call that nobody waits for ends",
            Effect.sync(() => existsSync(file)),
            Boolean
          )
          yield* eventually("its worker is free", Stack.pool(stack, "crowd"), ({ idle }) => idle === 1)
          assert.deepInclude(yield* served("crowd"), { calls: 2 })
        } else {
          yield* eventually(
            "the old Gateway's workers are gone",
            Effect.sync(() => workers.filter(({ pid }) => Processes.isAlive(pid))),
            (left) => left.length === 0,
            3_000
          )
          assert.isFalse(existsSync(file), "its call was cut")
        }
      })
    )
  })

  it.live("of a stack that is asked to stop lets its calls end first, those without a caller too", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.make()
      const file = join(stack.directory, "left-alone")
      const call = yield* Effect.forkChild(Stack.invoke(stack, "single", { ms: 1_500 }))
      const leaving = yield* Effect.forkChild(Stack.call(stack, "crowd", { ms: 2_000, file }))
      yield* isBusy(stack, "single")
      yield* isBusy(stack, "crowd")
      yield* Faults.cut(leaving)

      // Well before anybody's patience would end.
      const code = yield* Effect.timeout(
        Effect.promise(() => Stack.stop(stack.up)),
        "6 seconds"
      )
      assert.strictEqual(code, 0)
      const { functionError, payload } = yield* Fiber.join(call)
      assert.isUndefined(functionError)
      assert.deepInclude(payload, { calls: 1 })
      assert.strictEqual(existsSync(file) && readFileSync(file, "utf8"), "done\n")
      yield* Processes.allGone(stack.directory, 1_000)
      assert.isFalse(existsSync(join(stack.home, "run.json")))
    })
  )
})
