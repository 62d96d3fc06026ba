/** What a worker's environment says of the worker itself, under AWS's names. */
import { Result } from "effect"

export interface WorkerSettings {
  /** `_HANDLER`; empty for images and custom runtimes that need none. */
  readonly handler: string
  /** `nodejs24.x`, from `AWS_EXECUTION_ENV=AWS_Lambda_nodejs24.x`; absent for images. */
  readonly runtime: string | undefined
  readonly memoryMiB: number
  readonly timeoutMs: number
}

/** What AWS gives a function that asks for nothing. */
const defaults = { memoryMiB: 128, timeoutMs: 3_000 }

const runtimePrefix = "AWS_Lambda_"

const positive = (name: string, text: string | undefined, fallback: number): Result.Result<number, string> => {
  if (text === undefined) return Result.succeed(fallback)
  const value = Number(text)
  return Number.isFinite(value) && value > 0
    ? Result.succeed(value)
    : Result.fail(`${name} must be a positive number, not "${text}"`)
}

/** Fails with a sentence that names the variable. */
export const fromEnvironment = (
  environment: Readonly<Record<string, string>>
): Result.Result<WorkerSettings, string> => {
  const execution = environment["AWS_EXECUTION_ENV"]
  const memory = positive(
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"],
    defaults.memoryMiB
  )
  const seconds = positive(
    "AWS_LAMBDA_FUNCTION_TIMEOUT",
    environment["AWS_LAMBDA_FUNCTION_TIMEOUT"],
    defaults.timeoutMs / 1_000
  )
  return Result.map(Result.all({ memory, seconds }), ({ memory, seconds }) => ({
    handler: environment["_HANDLER"] ?? "",
    runtime: execution?.startsWith(runtimePrefix) === true ? execution.slice(runtimePrefix.length) : undefined,
    memoryMiB: memory,
    timeoutMs: Math.round(seconds * 1_000)
  }))
}
