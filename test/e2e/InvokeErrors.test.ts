/** Functions that end badly: what their callers are told, and that the next call meets a worker that is well. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { eventually } from "#test/support/Eventually"
import * as Stack from "#test/support/Stack"

interface FunctionFault {
  readonly errorType: string
  readonly errorMessage: string
}

/** A call that runs and fails. */
const fault = Effect.fnUntraced(function* (functionName: string, event: unknown = {}) {
  const stack = yield* Stack.Running
  const answer = yield* Stack.invoke(stack, functionName, event, { LogType: "Tail" })
  assert.deepInclude(answer, { status: 200, functionError: "Unhandled", executedVersion: "$LATEST" })
  return { ...answer, error: answer.payload as FunctionFault }
})

/** What the platform says in place of the function. */
const platformFault = (requestId: string | undefined, errorType: string, reason: string): FunctionFault => ({
  errorType,
  errorMessage: `RequestId: ${requestId} Error: ${reason}`
})

/** No worker of the function is left over from what went wrong. */
const isFree = Effect.fnUntraced(function* (functionName: string) {
  const stack = yield* Stack.Running
  return yield* eventually(
    `${functionName} has no worker`,
    Stack.pool(stack, functionName),
    ({ busy, idle, provisioning }) => busy + idle + provisioning === 0
  )
})

it.layer(Stack.layer(), Stack.live)("A function", (it) => {
  it.effect("that runs longer than its Timeout is ended, and its worker is replaced", () =>
    Effect.gen(function* () {
      const { error, log, requestId } = yield* fault("hang")
      assert.deepStrictEqual(error, platformFault(requestId, "Sandbox.Timedout", "Task timed out after 1.00 seconds"))
      assert.match(log, new RegExp(`\\n[\\d-]{10}T[\\d:.]+Z ${requestId} Task timed out after 1\\.00 seconds\\n`))
      assert.match(log, /\nREPORT .*\tStatus: timeout\t\n$/)
      yield* isFree("hang")
    })
  )

  it.effect("that slept too long once has a fresh worker for its next call", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const before = yield* Stack.invoke(stack, "brief", { ms: 0 })
      yield* fault("brief", { ms: 5_000 })
      const after = yield* Stack.invoke(stack, "brief", { ms: 0 })
      assert.isUndefined(after.functionError)
      assert.notStrictEqual(
        (after.payload as { readonly worker: string }).worker,
        (before.payload as { readonly worker: string }).worker
      )
    })
  )

  it.effect.each([
    [{ code: 0 }, "Runtime exited without providing a reason"],
    [{ code: 1 }, "Runtime exited with error: exit status 1"],
    [{ code: 129 }, "Runtime exited with error: exit status 129"],
    [{ signal: "SIGKILL" }, "Runtime exited with error: signal: killed"],
    [{ signal: "SIGSEGV" }, "Runtime exited with error: signal: segmentation fault"]
  ] as const)("that exits with %j is told as AWS tells it", ([event, reason]) =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      // A call that ends well lies between two crashes: five in a row would keep calls away for a while.
      assert.isUndefined((yield* Stack.invoke(stack, "exit", { well: true })).functionError)
      const { error, log, requestId } = yield* fault("exit", event)
      assert.deepStrictEqual(error, platformFault(requestId, "Runtime.ExitError", reason))
      assert.include(
        log,
        `\nRequestId: ${requestId} Error: ${reason}\nRuntime.ExitError\nEND RequestId: ${requestId}\n`
      )
      assert.match(log, /\tStatus: error\tError Type: Runtime\.ExitError\t\n$/)
    })
  )

  it.effect("that rejects behind its call's back fails, and begins anew", () =>
    Effect.gen(function* () {
      const { error } = yield* fault("stray", { rejects: true })
      assert.deepInclude(error, {
        errorType: "Runtime.UnhandledPromiseRejection",
        errorMessage: "TypeError: nobody listens"
      })
      yield* isFree("stray")
    })
  )

  it.effect("that throws behind its call's back fails, and begins anew", () =>
    Effect.gen(function* () {
      const { error } = yield* fault("stray")
      assert.deepInclude(error, { errorType: "TypeError", errorMessage: "nobody catches" })
      yield* isFree("stray")
    })
  )

  it.effect.each([
    ["whose file is missing", "absent", "Runtime.ImportModuleError", /^Error: Cannot find module 'no-such-file'\n/],
    [
      "that imports what is missing",
      "unloadable",
      "Error",
      /^Cannot find module '.*no-such-module\.mjs' imported from /
    ],
    [
      "whose handler is missing",
      "handlerless",
      "Runtime.HandlerNotFound",
      /^calls\.noSuchHandler is undefined or not exported$/
    ],
    ["that is no JavaScript", "syntax", "Runtime.UserCodeSyntaxError", /^SyntaxError: Unexpected end of input$/],
    ["that throws while it is loaded", "throwing", "RangeError", /^thrown at import$/]
  ] as const)("%s fails before its first call, every time anew", ([, name, errorType, message]) =>
    Effect.gen(function* () {
      for (const _ of [1, 2]) {
        const { error, log } = yield* fault(name)
        assert.strictEqual(error.errorType, errorType)
        assert.match(error.errorMessage, message)
        assert.match(log, /INIT_REPORT Init Duration: [\d.]+ ms\tPhase: init\tStatus: error\tError Type: /)
      }
      yield* isFree(name)
    })
  )

  it.effect("may answer with as many bytes as AWS allows, and not with one more", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      // Two quotation marks stand around the text.
      const most = 6_291_556 - 2
      const answer = yield* Stack.invoke(stack, "big", { bytes: most })
      assert.deepStrictEqual([answer.functionError, answer.text.length], [undefined, most + 2])
      const { error } = yield* fault("big", { bytes: most + 1 })
      assert.deepStrictEqual(error, {
        errorType: "Function.ResponseSizeTooLarge",
        errorMessage: "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
      })
    })
  )

  it.effect("keeps its worker when its answer was too large", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      yield* fault("big")
      const { idle } = yield* eventually("the worker is back", Stack.pool(stack, "big"), ({ busy }) => busy === 0)
      assert.strictEqual(idle, 1)
      assert.strictEqual((yield* Stack.invoke(stack, "big", { bytes: 3 })).payload, "xxx")
    })
  )

  it.effect("that streams is answered as a whole", () =>
    Effect.gen(function* () {
      const stack = yield* Stack.Running
      const parts = ["one ", "two ", "three"]
      const answer = yield* Stack.invoke(stack, "stream", { parts })
      assert.deepStrictEqual([answer.functionError, answer.text], [undefined, parts.join("")])
    })
  )

  it.effect("that fails in the middle of its stream is told as failed, without the half that came", () =>
    Effect.gen(function* () {
      const { error } = yield* fault("stream", { parts: ["one ", "two "], fail: true })
      assert.deepInclude(error, { errorType: "RangeError", errorMessage: "half way" })
      const stack = yield* Stack.Running
      assert.strictEqual((yield* Stack.invoke(stack, "stream", { parts: ["again"] })).text, "again")
    })
  )

  it.effect("that closes its connection in the middle of an answer has failed, and begins anew", () =>
    Effect.gen(function* () {
      const cut = yield* fault("cutting", { stays: true })
      const cutReason = "the connection closed before the end of the response"
      assert.deepStrictEqual(cut.error, platformFault(cut.requestId, "Runtime.TruncatedResponse", cutReason))
      yield* isFree("cutting")
      // That its process ended is the better story, where it did.
      const gone = yield* fault("cutting")
      const goneReason = "Runtime exited without providing a reason"
      assert.deepStrictEqual(gone.error, platformFault(gone.requestId, "Runtime.ExitError", goneReason))
      yield* isFree("cutting")
    })
  )
})
