/** A Gateway that reaches nothing of its Agent but the gRPC port (`AGENT_INVOKE_PROXY=1`) calls functions all the same. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Result } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { eventually } from "#test/support/Eventually"
import * as Faults from "#test/support/Faults"
import * as Processes from "#test/support/Processes"
import * as Stack from "#test/support/Stack"

const environment = { ESB_AGENT: "1", AGENT_INVOKE_PROXY: "1" }

interface Served {
  readonly worker: string
  readonly calls: number
  readonly pid: number
}

/** A long call that its worker works on. */
const begun = Effect.fnUntraced(function* (stack: Stack.Stack) {
  const call = yield* Effect.forkChild(Stack.invoke(stack, "slow", { ms: 8_000 }))
  yield* eventually("it is in a call", Stack.phases(stack, "slow"), (phases) => phases.includes("busy"))
  return call
})

describe("A Gateway", Processes.needsProc, () => {
  it.layer(Stack.layer({ environment }), Stack.live)("that has its InvokeWorker alone", (it) => {
    it.effect("a function is called, its worker is kept, and its ids and its log come along", () =>
      Effect.gen(function* () {
        const stack = yield* Stack.Running
        const context = { custom: { a: "b" } }
        const first = yield* Stack.invoke(stack, "echo", { n: [1, "ü", null] }, { LogType: "Tail" })
        const second = yield* Stack.invoke(
          stack,
          "echo",
          {},
          { ClientContext: Buffer.from(JSON.stringify(context)).toString("base64") }
        )
        assert.deepInclude(first, { status: 200, functionError: undefined, executedVersion: "$LATEST" })
        assert.deepInclude(first.payload, {
          event: { n: [1, "ü", null] },
          requestId: first.requestId,
          functionName: "echo"
        })
        assert.match(
          first.log,
          new RegExp(`^START RequestId: ${first.requestId} [\\s\\S]*\\tInit Duration: [\\d.]+ ms\\t\\n$`)
        )
        const { worker } = first.payload as Served
        assert.deepInclude(second.payload, { worker, calls: 2, clientContext: context })
        const agentLog = readFileSync(join(stack.home, "agent.log"), "utf8")
        assert.match(agentLog, /InvokeWorker/, "the calls went by gRPC")
      })
    )

    it.effect("every way a call can end is told as ever", () =>
      Effect.gen(function* () {
        const stack = yield* Stack.Running
        const failed = yield* Stack.invoke(stack, "fail")
        assert.deepInclude(failed, { status: 200, functionError: "Unhandled" })
        assert.deepInclude(failed.payload, { errorType: "TypeError", errorMessage: "as asked" })
        const exited = yield* Stack.invoke(stack, "exit", { code: 3 })
        assert.deepStrictEqual(exited.payload, {
          errorType: "Runtime.ExitError",
          errorMessage: `RequestId: ${exited.requestId} Error: Runtime exited with error: exit status 3`
        })
        const late = yield* Stack.invoke(stack, "hang")
        assert.deepStrictEqual(late.payload, {
          errorType: "Sandbox.Timedout",
          errorMessage: `RequestId: ${late.requestId} Error: Task timed out after 1.00 seconds`
        })
        const tooLarge = yield* Stack.invoke(stack, "big", { bytes: 7_000_000 })
        assert.deepInclude(tooLarge.payload, { errorType: "Function.ResponseSizeTooLarge" })
        const large = yield* Stack.invoke(stack, "big", { bytes: 5_000_000 })
        assert.strictEqual(large.text.length, 5_000_002)
        const unloadable = yield* Stack.invoke(stack, "absent")
        assert.deepInclude(unloadable.payload, { errorType: "Runtime.ImportModuleError" })
        const streamed = yield* Stack.invoke(stack, "stream", { parts: ["a", "b"] })
        assert.strictEqual(streamed.text, "ab")
      })
    )

    it.effect("an event is accepted and run", () =>
      Effect.gen(function* () {
        const stack = yield* Stack.Running
        const file = join(stack.directory, "event")
        const { status } = yield* Stack.invoke(stack, "record", { file, id: "ran" }, { InvocationType: "Event" })
        assert.strictEqual(status, 202)
        const text = Effect.sync(() => (existsSync(file) ? readFileSync(file, "utf8") : ""))
        yield* eventually("the event runs", text, (read) => read === "ran\n")
      })
    )

    it.effect("a worker that is killed in a call ends the call, and not the next one", () =>
      Effect.gen(function* () {
        const stack = yield* Stack.Running
        const { pid } = (yield* Stack.invoke(stack, "slow", { ms: 0 })).payload as Served
        const call = yield* begun(stack)
        yield* Faults.kill(pid)
        const { payload, requestId } = yield* Fiber.join(call)
        assert.deepStrictEqual(payload, {
          errorType: "Runtime.ExitError",
          errorMessage: `RequestId: ${requestId} Error: Runtime exited with error: signal: killed`
        })
        assert.notStrictEqual(((yield* Stack.invoke(stack, "slow", { ms: 0 })).payload as Served).pid, pid)
      })
    )

    it.effect("an Agent that is killed in a call costs the call, and calls go on when it is back", () =>
      Effect.gen(function* () {
        const stack = yield* Stack.Running
        const call = yield* begun(stack)
        const agent = Processes.of(stack.home).find(({ command }) => command.startsWith("esb-agent"))
        yield* Faults.kill(agent?.pid ?? assert.fail("no Agent runs"))
        assert.deepInclude((yield* Fiber.join(call)).payload, { errorType: "Sandbox.Failure" })
        const next = Effect.result(Stack.invoke(stack, "nothing"))
        const answer = yield* eventually("calls are answered again", next, Result.isSuccess)
        assert.deepInclude(Result.getOrThrow(answer), { functionError: undefined, text: "null" })
      })
    )
  })
})
