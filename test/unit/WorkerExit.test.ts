import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { exitError, type ExitStatus } from "#domain/WorkerExit"
import * as WorkerSettings from "#domain/WorkerSettings"

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
