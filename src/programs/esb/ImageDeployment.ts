/** From a template to what a Gateway can run in containers: every function is an image in the registry of the stack. */
import { Effect } from "effect"
import type { Deployment } from "./Deployment.ts"
import type { TargetSettings } from "./DeployTarget.ts"
import * as StackImages from "./StackImages.ts"
import * as StackManifest from "./StackManifest.ts"
import * as TemplateStack from "./TemplateStack.ts"
import type { Voice } from "./Voice.ts"

export interface ImageDeploymentRequest extends TemplateStack.TemplateRequest {
  readonly home: string
  readonly settings: TargetSettings
  readonly voice: Voice
}

/** Fails when one image fails, with all that do. */
export const make = Effect.fn("esb.ImageDeployment")(function* (request: ImageDeploymentRequest) {
  const { template, voice } = request
  const { parameters, stack } = yield* TemplateStack.read(request)
  for (const notice of stack.warnings) voice.warn(TemplateStack.told(template, notice))
  const rows = yield* StackImages.make({ ...request, stack })
  yield* StackImages.refuseFailures(rows)
  for (const { name, outcome } of rows) voice.note(`${name}: ${outcome}`)
  const images = new Map(rows.map(({ image, name }) => [name, image]))
  return { stack, parameters, images, manifest: StackManifest.make(stack, images) } satisfies Omit<Deployment, "inputs">
})
