/** From a template to what a Gateway can run: read it, build every function, keep the code, say what is deployed. */
import { Effect } from "effect"
import type { Stack, StackFunction } from "#domain/Stack"
import * as FunctionCode from "./FunctionCode.ts"
import type { Parameters } from "./KeptParameters.ts"
import * as StackManifest from "./StackManifest.ts"
import * as TemplateStack from "./TemplateStack.ts"
import type { Voice } from "./Voice.ts"

export interface DeploymentRequest extends TemplateStack.TemplateRequest {
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

/** What builds and keeps code in a home. */
export const layer = FunctionCode.layer

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

/**
 * Builds a stack again and again; what has not changed since the last time is not looked at twice. A notice is told once, not
 * at every build.
 */
export const make = Effect.gen(function* () {
  const codeOf = yield* FunctionCode.make
  const told = new Set<string>()

  const warn = (voice: Voice, notices: ReadonlyArray<string>) => {
    for (const notice of notices) if (!told.has(notice)) voice.warn(notice)
    for (const notice of notices) told.add(notice)
  }

  const build = Effect.fnUntraced(function* (
    { template, voice }: DeploymentRequest,
    stack: Stack,
    { code, logicalId }: StackFunction
  ) {
    if (code._tag === "Image") return { image: code.imageUri, inputs: [] }
    const progress = (step: string) => voice.note(`${logicalId}: ${step}`)
    const { image, inputs, warnings } = yield* codeOf({ stack, logicalId, code, template, progress })
    warn(voice, warnings)
    return { image, inputs }
  })

  return Effect.fn("Deployment.prepare")(function* (request: DeploymentRequest) {
    const { stack, parameters } = yield* TemplateStack.read(request)
    warn(request.voice, [
      ...stack.warnings.map((notice) => TemplateStack.told(request.template, notice)),
      ...noticesOf(stack)
    ])
    const built = yield* Effect.forEach(stack.functions, (each) => build(request, stack, each), {
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
