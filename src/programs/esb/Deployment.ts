/** From a template to what a Gateway can run: read it, build every function, keep the code, say what is deployed. */
import { Effect, Layer, Result, Schema } from "effect"
import { dirname, join, relative } from "node:path"
import { isDeepStrictEqual } from "node:util"
import type { Stack, StackFunction, TemplateNotice } from "#domain/Stack"
import * as Template from "#domain/Template"
import type { TemplateInvalid, TemplateProblem } from "#domain/TemplateInvalid"
import * as LocalFunctionBuilder from "#layers/build/LocalFunctionBuilder"
import * as FileArtifactStore from "#layers/files/FileArtifactStore"
import * as TemplateFile from "#layers/files/TemplateFile"
import { ArtifactStore } from "#services/ArtifactStore"
import { FunctionBuilder } from "#services/FunctionBuilder"
import { inherited } from "./Environment.ts"
import * as Interpreter from "./Interpreter.ts"
import type { Parameters } from "./KeptParameters.ts"
import { CommandFailed } from "./Refusal.ts"
import type { BuildSettings } from "./Settings.ts"
import * as StackManifest from "./StackManifest.ts"
import type { Voice } from "./Voice.ts"

export interface DeploymentRequest {
  /** Absolute. */
  readonly template: string
  /** Those given now. */
  readonly parameters: Parameters
  /** Those of an earlier deploy: they count where none is given now, and the template still has them. */
  readonly kept: Parameters
  readonly settings: BuildSettings
  readonly voice: Voice
}

export interface Deployment {
  readonly stack: Stack
  /** Those that counted. */
  readonly parameters: Parameters
  readonly manifest: StackManifest.StackManifest
  /** The code of each function: `artifact:sha256:…`, or the reference of an image. */
  readonly images: ReadonlyMap<string, string>
  /** Files and directories whose change makes this deployment outdated. */
  readonly inputs: ReadonlyArray<string>
}

/** What builds and keeps code in this home. */
export const layer = (home: string) =>
  Layer.mergeAll(
    Layer.unwrap(
      Effect.map(Interpreter.python, (python) => LocalFunctionBuilder.layer({ home, environment: inherited(), python }))
    ),
    FileArtifactStore.layer(join(home, "artifacts"))
  )

/** A path as a person at this terminal would write it. */
const near = (path: string): string => {
  const short = relative(process.cwd(), path)
  return short === "" || short.startsWith("..") ? path : short
}

/** A refusal with a way around it, when some of it is only for what is not offered here. */
const withAdvice = (refused: TemplateInvalid, asked: Template.TemplateRequest) => {
  const allowed = Template.resolve({ ...asked, allowUnsupported: true })
  const left = Result.isFailure(allowed) ? allowed.failure.problems : []
  const isOnlyUnoffered = (problem: TemplateProblem) => !left.some((each) => isDeepStrictEqual(each, problem))
  return refused.problems.some(isOnlyUnoffered)
    ? new CommandFailed({
        message: `${refused.message}\nWith --allow-unsupported, what is not supported is left out with a warning.`
      })
    : refused
}

const Declaring = Schema.Struct({ Parameters: Schema.Record(Schema.String, Schema.Unknown) })

const read = Effect.fnUntraced(function* ({ kept, parameters: given, settings, template }: DeploymentRequest) {
  const { document, file, lineOf } = yield* TemplateFile.read(near(template))
  const declared = Schema.is(Declaring)(document) ? document.Parameters : {}
  const still = Object.entries(kept).filter(([name]) => Object.hasOwn(declared, name))
  const parameters: Parameters = { ...Object.fromEntries(still), ...given }
  const { allowUnsupported, region } = settings
  const asked = { file, document, lineOf, parameters, region, allowUnsupported }
  const stack = yield* Effect.fromResult(
    Result.mapError(Template.resolve(asked), (refused) => withAdvice(refused, asked))
  )
  return { stack, parameters }
})

/** What the template says that is not, or not fully, done here. */
const noticesOf = (stack: Stack): ReadonlyArray<string> => {
  const images = stack.functions.filter(({ code }) => code._tag === "Image").map(({ name }) => name)
  const stores = [
    ...stack.tables.map((table) => `table ${String(table["TableName"])}`),
    ...stack.buckets.map((bucket) => `bucket ${String(bucket["BucketName"])}`)
  ]
  return [
    ...(images.length === 0 ? [] : [`${images.join(", ")}: images need Docker or containerd, calls will fail here`]),
    ...(stores.length === 0 ? [] : [`${stores.join(", ")}: not created, this mode has no store for them yet`])
  ]
}

const toldNotice = (template: string, { line, message, path }: TemplateNotice) =>
  `${near(template)}:${line}: ${path}: ${message}`

/**
 * Builds a stack again and again; what has not changed since the last time is not looked at twice. A notice is told once, not
 * at every build.
 */
export const make = Effect.gen(function* () {
  const builder = yield* FunctionBuilder
  const store = yield* ArtifactStore
  const kept = new Map<string, string>()
  const told = new Set<string>()

  const warn = (voice: Voice, notices: ReadonlyArray<string>) => {
    for (const notice of notices) if (!told.has(notice)) voice.warn(notice)
    for (const notice of notices) told.add(notice)
  }

  const code = Effect.fnUntraced(function* (request: DeploymentRequest, stack: Stack, each: StackFunction) {
    const { template, voice } = request
    if (each.code._tag === "Image") return { image: each.code.imageUri, inputs: [] }
    const { layers: names } = each.code
    const built = yield* builder.build({
      logicalId: each.logicalId,
      code: each.code,
      layers: names.flatMap((name) => stack.layers.find(({ logicalId }) => logicalId === name) ?? []),
      templateDirectory: dirname(template),
      progress: (step) => voice.note(`${each.logicalId}: ${step}`)
    })
    warn(
      voice,
      built.warnings.map((warning) => `${each.logicalId}: ${warning}`)
    )
    const image = kept.get(built.key) ?? (yield* store.put(built.sources)).image
    kept.set(built.key, image)
    return { image, inputs: built.inputs }
  })

  return Effect.fn("Deployment.prepare")(function* (request: DeploymentRequest) {
    const { stack, parameters } = yield* read(request)
    warn(request.voice, [...stack.warnings.map((notice) => toldNotice(request.template, notice)), ...noticesOf(stack)])
    const built = yield* Effect.forEach(stack.functions, (each) => code(request, stack, each), {
      concurrency: request.settings.buildConcurrency
    })
    const images = new Map(stack.functions.map(({ name }, index) => [name as string, built[index]?.image ?? ""]))
    const deployment: Deployment = {
      stack,
      parameters,
      images,
      manifest: StackManifest.make(stack, images),
      inputs: [...new Set([request.template, ...built.flatMap(({ inputs }) => inputs)])]
    }
    return deployment
  })
})
