/** From the kept code of a zip function to its image. */
import { Effect } from "effect"
import { existsSync } from "node:fs"
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import * as Dockerfile from "#domain/Dockerfile"
import * as FunctionImage from "#domain/FunctionImage"
import * as PythonExtension from "#domain/PythonExtension"
import type { StackFunction } from "#domain/Stack"
import { type Artifact, ArtifactStore } from "#services/ArtifactStore"
import { ImageBuilder, ImageBuildFailed, type Progress } from "#services/ImageBuilder"
import type { CodeRequest } from "./FunctionCode.ts"
import * as ImagePublishing from "./ImagePublishing.ts"

export interface ImageOptions {
  readonly naming: FunctionImage.ImageNaming
  readonly isFresh: boolean
  /** The image of a site that takes the place of a runtime's public base. */
  readonly baseFor: (runtime: string) => string | undefined
}

interface FunctionImageRequest {
  readonly name: StackFunction["name"]
  readonly code: CodeRequest["code"]
  /** `artifact:sha256:…` */
  readonly artifact: string
  readonly progress: Progress
}

/** Where AWS looks for the program of a `provided` runtime, the function's own first. */
const bootstrapOf = ({ optDirectory, taskDirectory }: Artifact): "task" | "opt" | undefined => {
  if (existsSync(join(taskDirectory, "bootstrap"))) return "task"
  return optDirectory !== undefined && existsSync(join(optDirectory, "bootstrap")) ? "opt" : undefined
}

/** The builder installs packages for the Python of this machine, which need not be that of the image. */
const warningsOf = Effect.fnUntraced(function* ({ optDirectory, taskDirectory }: Artifact, runtime: string) {
  const directories = optDirectory === undefined ? [taskDirectory] : [taskDirectory, optDirectory]
  const paths = yield* Effect.promise(() => Promise.all(directories.map((path) => readdir(path, { recursive: true }))))
  const [first, ...others] = PythonExtension.foreign(paths.flat(), runtime)
  if (first === undefined) return []
  const more = others.length === 0 ? "" : ` and ${others.length} others`
  return [`${first}${more} will not load in ${runtime}: build where that version of Python is installed`]
})

export const make = Effect.fnUntraced(function* ({ baseFor, isFresh, naming }: ImageOptions) {
  const store = yield* ArtifactStore
  const builder = yield* ImageBuilder
  const publish = yield* ImagePublishing.make
  const { identity, registry } = naming

  /**
   * Builds the image where it is not there yet, and sees to it that the registry has it. Answers how workers name it: by digest,
   * or by tag where it stays in the engine; and tells what will not work in it.
   */
  return Effect.fnUntraced(function* ({ artifact: digest, code, name, progress }: FunctionImageRequest) {
    const { handler, runtime } = code
    const artifact = yield* store.find(digest)
    const { optDirectory, taskDirectory } = artifact
    const base = baseFor(runtime) ?? Dockerfile.publicBase(runtime) ?? ""
    const hasLayers = optDirectory !== undefined
    const reference = FunctionImage.reference(naming, name)
    const dockerfile = yield* Effect.fromResult(
      Dockerfile.make({ runtime, handler, base, hasLayers, bootstrap: bootstrapOf(artifact) })
    ).pipe(Effect.mapError(({ message }) => new ImageBuildFailed({ reference, detail: message })))
    const { imageId, outcome } = yield* builder.build({
      reference,
      base,
      baseAdvice: `name an image of your own with ${Dockerfile.baseVariable(runtime)}`,
      dockerfile,
      context: { task: taskDirectory, ...(hasLayers ? { opt: optDirectory } : {}) },
      contextDigest: digest,
      labels: FunctionImage.labels(identity),
      fingerprintLabel: FunctionImage.fingerprintLabel(identity),
      isFresh,
      progress
    })
    const warnings = yield* warningsOf(artifact, runtime)
    if (registry === undefined) return { image: reference, outcome, warnings }
    const { image } = yield* publish({ reference, imageId, progress })
    return { image, outcome, warnings }
  })
})
