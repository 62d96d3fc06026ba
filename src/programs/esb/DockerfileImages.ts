/** From a directory with a Dockerfile, as `Metadata` of a function names it, to the image of the function. */
import { Effect } from "effect"
import { readFile } from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import { basesOf as basesIn } from "#domain/Dockerfile"
import * as FunctionImage from "#domain/FunctionImage"
import type { FunctionCode } from "#domain/Stack"
import { ImageBuilder, type Progress } from "#services/ImageBuilder"
import * as ImagePublishing from "./ImagePublishing.ts"

type DockerfileCode = Extract<FunctionCode, { readonly _tag: "Dockerfile" }>

interface DockerfileImageOptions {
  readonly naming: FunctionImage.ImageNaming
  readonly isFresh: boolean
  /** Absolute; contexts are relative to its directory. */
  readonly template: string
}

interface DockerfileImageRequest {
  readonly name: string
  readonly code: DockerfileCode
  readonly progress: Progress
}

const directoryOf = (template: string, { context }: DockerfileCode): string => resolve(dirname(template), context)

/** Images that it begins with; none where it cannot be read, which its build says. */
export const basesOf = (template: string, code: DockerfileCode): Effect.Effect<ReadonlyArray<string>> =>
  Effect.tryPromise(() => readFile(join(directoryOf(template, code), code.dockerfile), "utf8")).pipe(
    Effect.map(basesIn),
    Effect.orElseSucceed(() => [])
  )

export const make = Effect.fnUntraced(function* ({ isFresh, naming, template }: DockerfileImageOptions) {
  const builder = yield* ImageBuilder
  const publish = yield* ImagePublishing.make

  /** Answers how workers name it: by digest, or by tag where it stays in the engine. */
  return Effect.fnUntraced(function* ({ code, name, progress }: DockerfileImageRequest) {
    const reference = FunctionImage.reference(naming, name)
    const { imageId, outcome } = yield* builder.buildDirectory({
      reference,
      directory: directoryOf(template, code),
      dockerfile: code.dockerfile,
      target: code.target,
      arguments: code.arguments,
      labels: FunctionImage.labels(naming.identity),
      isFresh,
      progress
    })
    if (naming.registry === undefined) return { image: reference, outcome }
    const { image } = yield* publish({ reference, imageId, progress })
    return { image, outcome }
  })
})
