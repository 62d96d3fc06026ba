import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { FunctionName } from "#domain/FunctionName"
import { limits } from "#domain/Invocation"
import * as RieAnswer from "#domain/RieAnswer"
import { ContainerId } from "#domain/Worker"

const requestId = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
const theirs = "11111111-1111-1111-1111-111111111111"
const guessed = { "content-type": "text/plain; charset=utf-8" }

const call: RieAnswer.EmulatedCall = {
  worker: { id: ContainerId.make("container"), functionName: FunctionName.make("sample") },
  requestId,
  isFirst: false,
  elapsedMs: 10
}
const first = { ...call, isFirst: true }

const answer = (status: number, body: string, headers: RieAnswer.EmulatorAnswer["headers"] = guessed) => ({
  status,
  headers,
  body: Buffer.from(body)
})

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

const succeed = (given: RieAnswer.EmulatorAnswer, of = call) => {
  const { payload, ...rest } = Result.getOrThrow(RieAnswer.read(given, of))
  return { ...rest, payload: text(payload) }
}

const fail = (given: RieAnswer.EmulatorAnswer, of = call) => {
  const failure = Result.getOrThrow(Result.flip(RieAnswer.read(given, of)))
  assert.deepInclude(failure, { requestId, containerId: call.worker.id, functionName: call.worker.functionName })
  return { _tag: failure._tag, errorType: failure.errorType, payload: text(failure.payload) }
}

/** As the clients of AWS report an error. */
const reported = {
  "Node.js": { errorType: "TypeError", errorMessage: "boom", trace: ["TypeError: boom", "    at handler"] },
  Python: { errorMessage: "boom", errorType: "KeyError", requestId: "", stackTrace: ["  File"] },
  "Java without a message": { errorType: "java.lang.IllegalStateException", errorMessage: null, stackTrace: ["a.B"] },
  ".NET": { errorType: "Exception", errorMessage: "boom", stackTrace: ["at A"], cause: { errorType: "Inner" } },
  "Go and Rust": { errorMessage: "boom", errorType: "errorString" }
}

describe("an emulator's answer", () => {
  for (const [runtime, error] of Object.entries(reported)) {
    it(`is an error of the function when it is the object that ${runtime} reports`, () => {
      const payload = JSON.stringify(error)
      const expected = { errorType: error.errorType, contentType: "application/json", payload }
      assert.deepStrictEqual(succeed(answer(200, payload)), expected)
    })
  }

  const own = [
    { errorMessage: "no such order" },
    { errorType: "none" },
    { errorType: 404, errorMessage: "not found" },
    { errorType: "OrderError", errorMessage: "no such order", ok: false },
    { errorType: "OrderError", order: 7 },
    [{ errorType: "E", errorMessage: "m" }],
    { nested: { errorType: "E", errorMessage: "m" } },
    '{"errorType":"E","errorMessage":"m"}'
  ]
  for (const value of own) {
    const payload = JSON.stringify(value)
    it(`is the function's own when it only resembles an error: ${payload}`, () => {
      assert.deepStrictEqual(succeed(answer(200, payload)), {
        errorType: undefined,
        contentType: "application/json",
        payload
      })
    })
  }

  it.prop("is handed on byte by byte whatever it holds", { body: Schema.Uint8Array }, ({ body }) => {
    const { payload } = Result.getOrThrow(RieAnswer.read({ status: 200, headers: guessed, body }, call))
    assert.deepStrictEqual(payload, body)
  })

  it("is an error when a header says so, as some emulators do", () => {
    const payload = '"it failed"'
    assert.strictEqual(succeed(answer(200, payload, { ...guessed, "error-type": "Mine" })).errorType, "Mine")
    const marked = { ...guessed, "x-amz-function-error": "Unhandled" }
    assert.strictEqual(succeed(answer(200, payload, marked)).errorType, "Unhandled")
    assert.strictEqual(succeed(answer(200, JSON.stringify(reported.Python), marked)).errorType, "KeyError")
  })

  it("is JSON when it looks like it and the emulator had to guess", () => {
    const types = (body: string, headers?: RieAnswer.EmulatorAnswer["headers"]) =>
      succeed(answer(200, body, headers)).contentType
    for (const body of ['{"a":1}', " [1]\n", '"text"', "-1.5e3", "true", "null"]) {
      assert.strictEqual(types(body), "application/json", body)
    }
    assert.strictEqual(types("plain words"), guessed["content-type"])
    assert.strictEqual(types("", {}), "application/json")
    assert.strictEqual(types("<p>", { "content-type": "text/html; charset=utf-8" }), "text/html; charset=utf-8")
    assert.strictEqual(types('{"a":1}', { "content-type": ["text/csv"] }), "text/csv")
  })

  it("is a timeout when it says so and the call did last as long", () => {
    const body = "Task timed out after 3.00 seconds"
    const timedOut = fail(answer(200, body), { ...call, elapsedMs: 3_001 })
    assert.strictEqual(timedOut._tag, "InvocationTimedOut")
    assert.strictEqual(timedOut.errorType, "Sandbox.Timedout")
    assert.deepStrictEqual(JSON.parse(timedOut.payload), {
      errorType: "Sandbox.Timedout",
      errorMessage: `RequestId: ${requestId} Error: Task timed out after 3.00 seconds`
    })
    assert.strictEqual(succeed(answer(200, body), { ...call, elapsedMs: 200 }).payload, body)
    assert.strictEqual(succeed(answer(200, `"${body}"`), { ...call, elapsedMs: 3_001 }).payload, `"${body}"`)
  })

  it("tells of an answer that was too large in AWS's words", () => {
    const theirWords = {
      errorType: "Function.ResponseSizeTooLarge",
      errorMessage: "Response payload size (6291702 bytes) exceeded maximum allowed payload size (6291556 bytes)."
    }
    assert.deepStrictEqual(succeed(answer(200, JSON.stringify(theirWords))), {
      contentType: "application/json",
      errorType: "Function.ResponseSizeTooLarge",
      payload: JSON.stringify({
        errorMessage: `Response payload size exceeded maximum allowed payload size (${limits.responseBytes} bytes).`,
        errorType: "Function.ResponseSizeTooLarge"
      })
    })
  })

  it("tells of the exit of a runtime under the id that the caller knows", () => {
    const exit = (id: string) =>
      JSON.stringify({
        errorType: "Runtime.ExitError",
        errorMessage: `RequestId: ${id} Error: Runtime exited with error: exit status 3`
      })
    for (const of of [call, first]) {
      assert.deepStrictEqual(fail(answer(502, exit(theirs)), of), {
        _tag: "WorkerExited",
        errorType: "Runtime.ExitError",
        payload: exit(requestId)
      })
    }
  })

  const unexplained = JSON.stringify({
    errorType: "Runtime.ExitError",
    errorMessage: `RequestId: ${requestId} Error: Runtime exited without providing a reason`
  })

  it("tells that the function could not be loaded, with the reason where its runtime gave one", () => {
    const reason = '{"errorMessage":"no module","errorType":"Runtime.ImportModuleError"}'
    assert.deepStrictEqual(fail(answer(502, reason), first), {
      _tag: "InitFailed",
      errorType: "Runtime.ImportModuleError",
      payload: reason
    })
    const silent = { _tag: "InitFailed", errorType: "Runtime.ExitError", payload: unexplained }
    assert.deepStrictEqual(fail(answer(502, "", {}), first), silent)
  })

  it("tells of a runtime that reported an error and ended, and trusts no answer before an end", () => {
    const panic = '{"errorMessage":"index out of range","errorType":"runtime.Error","stackTrace":[]}'
    assert.deepStrictEqual(fail(answer(502, panic)), {
      _tag: "WorkerExited",
      errorType: "runtime.Error",
      payload: panic
    })
    for (const body of ['{"ok":true}', '{"ok":tr', ""]) {
      const told = { _tag: "WorkerExited", errorType: "Runtime.ExitError", payload: unexplained }
      assert.deepStrictEqual(fail(answer(502, body)), told, body)
    }
  })

  it("tells of the emulator's own trouble by its status", () => {
    for (const status of [400, 404, 500, 504]) {
      const told = fail(answer(status, "", {}), first)
      assert.deepInclude(told, { _tag: "WorkerExited", errorType: "Runtime.Unknown" })
      assert.include(told.payload, `The emulator answered ${status}`)
    }
  })
})
