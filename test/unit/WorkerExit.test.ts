import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { readFileSync } from "node:fs"
import { constants } from "node:os"
import { join } from "node:path"
import { exitError, type ExitStatus, ofCode, timeoutError } from "#domain/WorkerExit"
import * as WorkerSettings from "#domain/WorkerSettings"
import { needs, pathOf } from "#test/support/Engines"

const told = (status: Partial<ExitStatus>): unknown => {
  const { errorType, payload } = exitError("id-1", {
    code: undefined,
    signal: undefined,
    outOfMemory: false,
    extension: undefined,
    ...status
  })
  const body: unknown = JSON.parse(new TextDecoder().decode(payload))
  assert.deepInclude(body, { errorType })
  return body
}

describe("the end of a worker, as a caller reads it", () => {
  it("is AWS's sentence for an exit without and with an error", () => {
    assert.deepStrictEqual(told({ code: 0 }), {
      errorType: "Runtime.ExitError",
      errorMessage: "RequestId: id-1 Error: Runtime exited without providing a reason"
    })
    assert.deepStrictEqual(told({ code: 127 }), {
      errorType: "Runtime.ExitError",
      errorMessage: "RequestId: id-1 Error: Runtime exited with error: exit status 127"
    })
  })

  it("names signals as AWS does", () => {
    assert.deepInclude(told({ signal: "SIGSEGV" }), {
      errorMessage: "RequestId: id-1 Error: Runtime exited with error: signal: segmentation fault"
    })
    assert.deepInclude(told({ signal: "SIGRTMIN" }), {
      errorMessage: "RequestId: id-1 Error: Runtime exited with error: signal: SIGRTMIN"
    })
  })

  it("tells memory and extensions apart from the runtime's own end", () => {
    assert.deepStrictEqual(told({ signal: "SIGKILL", outOfMemory: true }), {
      errorType: "Runtime.OutOfMemory",
      errorMessage: "RequestId: id-1 Error: Runtime exited with error: signal: killed"
    })
    assert.deepStrictEqual(told({ code: 2, extension: "agent" }), {
      errorType: "Extension.Crash",
      errorMessage: "RequestId: id-1 Error: exit code 2"
    })
  })
})

describe("AWS's recorded answers", needs("golden"), () => {
  type Recorded = Record<string, { readonly "recorded-content": Record<string, { readonly Payload: unknown }> }>

  const recorded = (test: string, step: string): unknown => {
    const path = join(pathOf("golden"), "aws-recordings/lambda___test_lambda.snapshot.json")
    const all = JSON.parse(readFileSync(path, "utf8")) as Recorded
    return all[`tests/aws/services/lambda_/test_lambda.py::${test}`]?.["recorded-content"][step]?.Payload
  }

  const bodyOf = ({ payload }: { readonly payload: Uint8Array }): unknown =>
    JSON.parse(new TextDecoder().decode(payload))

  it("are ours for a function that exits, and for a wrapper that is not there", () => {
    const exited = { signal: undefined, outOfMemory: false, extension: undefined }
    assert.deepStrictEqual(
      bodyOf(exitError("<uuid>", { ...exited, code: 0 })),
      recorded("TestLambdaErrors::test_lambda_handler_exit", "invocation_error")
    )
    assert.deepStrictEqual(
      bodyOf(exitError("<uuid>", { ...exited, code: 127 })),
      recorded("TestLambdaErrors::test_lambda_runtime_wrapper_not_found", "invocation_error")
    )
  })

  it("are ours for a function that takes too long", () => {
    assert.deepStrictEqual(
      bodyOf(timeoutError("<timeout_error_msg>", 1_000)),
      recorded("TestLambdaBehavior::test_lambda_invoke_with_timeout", "invoke-result")
    )
  })
})

describe("the settings in a worker's environment", () => {
  it("are read from AWS's names", () => {
    const settings = WorkerSettings.fromEnvironment({
      _HANDLER: "app.handler",
      AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x",
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "512",
      AWS_LAMBDA_FUNCTION_TIMEOUT: "0.5"
    })
    assert.deepStrictEqual(
      settings,
      Result.succeed({ handler: "app.handler", runtime: "nodejs24.x", memoryMiB: 512, timeoutMs: 500 })
    )
  })

  it("are AWS's defaults where nothing is said", () => {
    assert.deepStrictEqual(
      WorkerSettings.fromEnvironment({}),
      Result.succeed({ handler: "", runtime: undefined, memoryMiB: 128, timeoutMs: 3_000 })
    )
  })

  it.each(["0", "-1", "many", ""])("refuse %j as a timeout, naming the variable", (text) => {
    const settings = WorkerSettings.fromEnvironment({ AWS_LAMBDA_FUNCTION_TIMEOUT: text })
    assert.match(Result.isFailure(settings) ? settings.failure : "", /AWS_LAMBDA_FUNCTION_TIMEOUT/)
  })
})

describe("the code of a container's end", () => {
  it.skipIf(process.platform !== "linux")("is a signal where the kernel of containers has one of that number", () => {
    for (let code = 0; code < 256; code++) {
      const signal = Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0]
      const expected = {
        code: signal === undefined ? code : undefined,
        signal,
        outOfMemory: false,
        extension: undefined
      }
      assert.deepStrictEqual(ofCode(code, false), expected)
    }
    assert.isTrue(ofCode(137, true).outOfMemory)
  })
})
