/** Functions for tests of workers, whatever engine runs them. */
import { Context, Effect, Layer } from "effect"
import { createHash } from "node:crypto"
import { fileURLToPath } from "node:url"
import { FunctionName } from "#domain/FunctionName"
import type { WorkerSpec } from "#domain/Worker"
import type { MemoryFunction } from "#layers/memory/MemoryWorkers"
import { ArtifactStore } from "#services/ArtifactStore"

const repository = fileURLToPath(new URL("../..", import.meta.url))

export const samples = (name: string): string => `${repository}test/samples/workers/${name}`

/** What differs from an ordinary function. */
export interface Asked {
  readonly handler?: string
  readonly runtime?: string
  readonly memoryMiB?: number
  readonly timeoutMs?: number
  readonly environment?: Readonly<Record<string, string>>
}

export const specOf = (image: string, handler: string, asked: Asked = {}): WorkerSpec => {
  const environment = {
    _HANDLER: handler,
    AWS_EXECUTION_ENV: `AWS_Lambda_${asked.runtime ?? "nodejs24.x"}`,
    AWS_LAMBDA_FUNCTION_NAME: "sample",
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(asked.memoryMiB ?? 256),
    AWS_LAMBDA_FUNCTION_TIMEOUT: String((asked.timeoutMs ?? 10_000) / 1_000),
    AWS_REGION: "us-east-1",
    ...asked.environment
  }
  const specHash = createHash("sha256")
    .update(JSON.stringify([image, environment]))
    .digest("hex")
  return { functionName: FunctionName.make("sample"), image, environment, specHash }
}

/** The functions that every engine has, each under its own name: `echo` answers its event, `hang` never does. */
export type CommonFunction = "echo" | "hang"

export class WorkerFunctions extends Context.Service<
  WorkerFunctions,
  { readonly spec: (name: CommonFunction, asked?: Asked) => WorkerSpec }
>()("esb/test/WorkerFunctions") {}

/** For engines that take their code from an artifact. */
export const inArtifacts: Layer.Layer<WorkerFunctions, unknown, ArtifactStore> = Layer.effect(
  WorkerFunctions,
  Effect.gen(function* () {
    const store = yield* ArtifactStore
    const { image } = yield* store.put({ taskDirectory: samples("node"), layerDirectories: [] })
    return { spec: (name, asked) => specOf(image, `index.${name}`, asked) }
  })
)

/** For the engine whose functions are values; the image names the function. */
export const memoryFunctions: Readonly<Record<CommonFunction, MemoryFunction>> = {
  echo: { handler: (event) => event },
  hang: { effect: () => Effect.never }
}

export const inMemory: Layer.Layer<WorkerFunctions> = Layer.succeed(
  WorkerFunctions,
  WorkerFunctions.of({
    spec: (name, asked) => ({
      ...specOf("artifact:sha256:" + "0".repeat(64), name, asked),
      functionName: FunctionName.make(name)
    })
  })
)
