/** The code of functions, built and kept. */
import { Effect, Layer } from "effect"
import { dirname, join } from "node:path"
import type { SourceCode, Stack } from "#domain/Stack"
import * as LocalFunctionBuilder from "#layers/build/LocalFunctionBuilder"
import * as FileArtifactStore from "#layers/files/FileArtifactStore"
import { ArtifactStore } from "#services/ArtifactStore"
import { type BuildRequest, FunctionBuilder } from "#services/FunctionBuilder"
import { inherited } from "./Environment.ts"
import * as Interpreter from "./Interpreter.ts"

/** What builds and keeps code in this home. */
export const layer = (home: string) =>
  Layer.mergeAll(
    Layer.unwrap(
      Effect.map(Interpreter.python, (python) => LocalFunctionBuilder.layer({ home, environment: inherited(), python }))
    ),
    FileArtifactStore.layer(join(home, "artifacts"))
  )

export interface CodeRequest {
  readonly stack: Stack
  readonly logicalId: string
  readonly code: SourceCode
  /** Absolute. */
  readonly template: string
  readonly progress: BuildRequest["progress"]
}

/** Builds again and again; code that has not changed since the last time is not looked at twice. */
export const make = Effect.gen(function* () {
  const builder = yield* FunctionBuilder
  const store = yield* ArtifactStore
  const known = new Map<string, string>()

  return Effect.fnUntraced(function* ({ code, logicalId, progress, stack, template }: CodeRequest) {
    const { inputs, key, sources, warnings } = yield* builder.build({
      logicalId,
      code,
      layers: code.layers.flatMap((name) => stack.layers.find((layer) => layer.logicalId === name) ?? []),
      templateDirectory: dirname(template),
      progress
    })
    const image = known.get(key) ?? (yield* store.put(sources)).image
    known.set(key, image)
    return { image, inputs, warnings: warnings.map((warning) => `${logicalId}: ${warning}`) }
  })
})
