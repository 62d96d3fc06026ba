/** Every function of a stack as an image that a container engine can start. */
import { Effect, Layer, Result } from "effect"
import * as Dockerfile from "#domain/Dockerfile"
import * as FunctionImage from "#domain/FunctionImage"
import { namesRegistry } from "#domain/ImageReference"
import type { Stack, StackFunction } from "#domain/Stack"
import { ComposeEngineUnreachable } from "#services/ComposeStack"
import { inherited } from "./Environment.ts"
import * as DockerfileImages from "./DockerfileImages.ts"
import * as FunctionCode from "./FunctionCode.ts"
import * as FunctionImages from "./FunctionImages.ts"
import * as ImageMirror from "./ImageMirror.ts"
import type { ImageSettings } from "./ImageSettings.ts"
import * as ImageTools from "./ImageTools.ts"
import { CommandFailed } from "./Refusal.ts"
import type { BuildSettings } from "./Settings.ts"
import type { Voice } from "./Voice.ts"

export interface StackImagesRequest {
  readonly stack: Stack
  /** Absolute. */
  readonly template: string
  readonly home: string
  readonly settings: BuildSettings & ImageSettings
  readonly voice: Voice
}

/** What became of one function. */
export interface Row {
  readonly name: string
  /** What its workers are started from; of a function that failed, the image it would have. */
  readonly image: string
  /** `given`: it is as the template names it. */
  readonly outcome: "built" | "copied" | "unchanged" | "given" | "failed"
  readonly error?: string
}

/** Two functions must not have one image: the later would take the place of the earlier. */
const refuseCollisions = (naming: FunctionImage.ImageNaming, { functions }: Stack) => {
  const isNamedAfter = ({ code }: StackFunction): boolean =>
    code._tag !== "Image" || (naming.registry !== undefined && !namesRegistry(code.imageUri))
  const names = functions.filter(isNamedAfter).map(({ name }) => name)
  const [first] = FunctionImage.collisions(naming, names)
  return first === undefined
    ? Effect.void
    : new CommandFailed({
        message: `${first.join(" and ")} would have one image, ${FunctionImage.reference(naming, first[0] ?? "")}: rename one`
      })
}

const rowsOf = Effect.fnUntraced(function* (
  { settings, stack, template, voice }: StackImagesRequest,
  options: FunctionImages.ImageOptions
) {
  const { naming } = options
  const codeOf = yield* FunctionCode.make
  const imageOf = yield* FunctionImages.make(options)
  const ownBuild = yield* DockerfileImages.make({ ...options, template })
  const mirrored = yield* ImageMirror.make({
    naming,
    prewarm: settings.imagePrewarm,
    progress: voice.note,
    warn: voice.warn
  })

  const make = Effect.fnUntraced(function* ({ code, logicalId, name }: StackFunction) {
    if (code._tag === "Image") return yield* mirrored(name, code.imageUri)
    const progress = (step: string) => voice.note(`${logicalId}: ${step}`)
    if (code._tag === "Dockerfile") return yield* ownBuild({ name, code, progress })
    const built = yield* codeOf({ stack, logicalId, code, template, progress })
    built.warnings.forEach(voice.warn)
    const { image, outcome, warnings } = yield* imageOf({ name, code, artifact: built.image, progress })
    for (const warning of warnings) voice.warn(`${logicalId}: ${warning}`)
    return { image, outcome }
  })

  const row = (each: StackFunction) =>
    Effect.map(Effect.result(make(each)), (made): Row => {
      const { code, name } = each
      if (Result.isSuccess(made)) return { name, ...made.success }
      const image = code._tag === "Image" ? code.imageUri : FunctionImage.reference(naming, name)
      return { name, image, outcome: "failed", error: made.failure.message }
    })
  return yield* Effect.forEach(stack.functions, row, { concurrency: settings.buildConcurrency })
})

/** One row for each function, in the order of the template; one that fails keeps no other from being built. */
export const make = Effect.fn("esb.StackImages")(function* (request: StackImagesRequest) {
  const { home, settings, stack } = request
  const naming = yield* ImageTools.naming(settings)
  yield* refuseCollisions(naming, stack)
  const environment = inherited()
  const baseFor = (runtime: string) => environment[Dockerfile.baseVariable(runtime)] || undefined
  const tools = yield* ImageTools.layer(settings, yield* ImageTools.sources(stack, request.template, baseFor))
  return yield* rowsOf(request, { naming, isFresh: !settings.cache, baseFor }).pipe(
    Effect.provide(Layer.merge(FunctionCode.layer(home), tools)),
    // With what to do where there is none.
    Effect.catchTag("ImageEngineUnreachable", ({ detail, engine }) => new ComposeEngineUnreachable({ engine, detail }))
  )
})

/** Fails with what went wrong, all of it. */
export const refuseFailures = (rows: ReadonlyArray<Row>): Effect.Effect<void, CommandFailed> => {
  const failures = rows.flatMap(({ error }) => error ?? [])
  return failures.length === 0 ? Effect.void : Effect.fail(new CommandFailed({ message: failures.join("\n") }))
}
