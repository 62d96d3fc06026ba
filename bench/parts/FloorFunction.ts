/** The function of a start that is the floor of others: what an Agent would be told of it. */
import type { FunctionName } from "#domain/FunctionName"
import type { WorkerSpec } from "#domain/Worker"

const name = "floor"

export const specOf = (image: string, handler: string, memoryMiB: number): WorkerSpec => ({
  functionName: name as FunctionName,
  image,
  specHash: name,
  environment: {
    _HANDLER: handler,
    AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x",
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMiB),
    AWS_LAMBDA_FUNCTION_TIMEOUT: "10"
  }
})
