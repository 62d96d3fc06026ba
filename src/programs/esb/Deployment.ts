/** From a template to what a Gateway can run: read it, build every function, keep the code, say what is deployed. */
import { Effect } from "effect"
import { isImage, type Stack, type StackFunction } from "#domain/Stack"
import * as FunctionCode from "./FunctionCode.ts"
import type { Parameters } from "./KeptParameters.ts"
import type { Stores } from "./Provisioning.ts"
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

/** What the template says that a mode does not, or not fully, do. */
export type Notices = (stack: Stack) => ReadonlyArray<string>

/** Of a stack in child processes, with the stores that are named to it. */
export const embedded =
  ({ dynamodbEndpoint, s3Endpoint }: Stores): Notices =>
  ({ buckets, functions, tables }) => {
    const images = functions.filter(({ code }) => isImage(code)).map(({ name }) => name)
    const lacking = [
      ...(dynamodbEndpoint === undefined ? tables.map(({ TableName }) => `table ${String(TableName)}`) : []),
      ...(s3Endpoint === undefined ? buckets.map(({ BucketName }) => `bucket ${String(BucketName)}`) : [])
    ]
    const advice = "esb deploy makes tables and buckets in stores that DYNAMODB_ENDPOINT and S3_ENDPOINT name"
    return [
      ...(images.length === 0
        ? []
        : [`${images.join(", ")}: images need containers, calls will fail here; esb up --mode docker runs them`]),
      ...(lacking.length === 0 ? [] : [`${lacking.join(", ")}: not created here; ${advice}`])
    ]
  }

/** Tells each thing once, however often it is built. */
const warnOnce = () => {
  const told = new Set<string>()
  return (voice: Voice, notices: ReadonlyArray<string>) => {
    for (const notice of notices) if (!told.has(notice)) voice.warn(notice)
    for (const notice of notices) told.add(notice)
  }
}

/**
 * Builds a stack again and again; what has not changed since the last time is not looked at twice. A notice is told once, not
 * at every build.
 */
export const makeWith = Effect.fnUntraced(function* (noticesOf: Notices) {
  const codeOf = yield* FunctionCode.make
  const warn = warnOnce()

  const build = Effect.fnUntraced(function* (
    { template, voice }: DeploymentRequest,
    stack: Stack,
    { code, logicalId, name }: StackFunction
  ) {
    // Nothing is built that cannot run here; the name is the one that `sam build` gives it.
    if (isImage(code))
      return { image: code._tag === "Image" ? code.imageUri : `${name.toLowerCase()}:latest`, inputs: [] }
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

/** For child processes without any store. */
export const make = makeWith(embedded({ dynamodbEndpoint: undefined, s3Endpoint: undefined }))
