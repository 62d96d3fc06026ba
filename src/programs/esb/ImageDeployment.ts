/** From a template to what a Gateway can run in containers: every function is an image in the registry of the stack. */
import { Effect } from "effect"
import { isLoopback, parse } from "#domain/ImageReference"
import * as RegistryNames from "#domain/RegistryNames"
import type { Stack } from "#domain/Stack"
import type { Deployment } from "./Deployment.ts"
import type { TargetSettings } from "./DeployTarget.ts"
import { CommandFailed } from "./Refusal.ts"
import type { ContainerMode } from "./RunFile.ts"
import * as StackImages from "./StackImages.ts"
import * as StackManifest from "./StackManifest.ts"
import * as TemplateStack from "./TemplateStack.ts"
import type { Voice } from "./Voice.ts"

export interface ImageDeploymentRequest extends TemplateStack.TemplateRequest {
  readonly home: string
  readonly mode: ContainerMode
  readonly settings: TargetSettings
  readonly voice: Voice
}

/** `undefined` where everybody reaches the registry at one address. */
const namesOf = ({ agentRegistry: agent, registry: machine }: TargetSettings) =>
  agent === undefined || machine === undefined ? undefined : { agent, machine }

/** A template may name an image as its Agent does; here it is looked for where this machine finds it. */
const asHere = (stack: Stack, names: RegistryNames.RegistryNames | undefined): Stack => ({
  ...stack,
  functions: stack.functions.map((each) =>
    each.code._tag === "Image" && names !== undefined
      ? { ...each, code: { ...each.code, imageUri: RegistryNames.forMachine(each.code.imageUri, names) } }
      : each
  )
})

const isOfThisMachine = (image: string): boolean => {
  const reference = parse(image)
  return reference._tag === "Success" && isLoopback(reference.success.host)
}

/** containerd is in a container: 127.0.0.1 is that container there. */
const refuseUnreachable = (mode: ContainerMode, images: ReadonlyMap<string, string>) => {
  const unreachable = [...images].filter(([, image]) => isOfThisMachine(image))
  return mode === "docker" || unreachable.length === 0
    ? Effect.void
    : new CommandFailed({
        message: unreachable
          .map(
            ([name, image]) => `${name}: ${image} is on this machine's own address, where containerd does not find it`
          )
          .concat(
            "Let such images be copied into the registry of the stack (ESB_IMAGE_PREWARM=missing, and no other CONTAINER_REGISTRY),",
            "or name their registry by an address that containers reach."
          )
          .join("\n")
      })
}

/** Fails when one image fails, with all that do. */
export const make = Effect.fn("esb.ImageDeployment")(function* (request: ImageDeploymentRequest) {
  const { mode, settings, template, voice } = request
  const { parameters, stack } = yield* TemplateStack.read(request)
  for (const notice of stack.warnings) voice.warn(TemplateStack.told(template, notice))
  const names = namesOf(settings)
  const rows = yield* StackImages.make({ ...request, stack: asHere(stack, names) })
  yield* StackImages.refuseFailures(rows)
  for (const { name, outcome } of rows) voice.note(`${name}: ${outcome}`)
  const images = new Map(
    rows.map(({ image, name }) => [name, names === undefined ? image : RegistryNames.forAgent(image, names)])
  )
  yield* refuseUnreachable(mode, images)
  return { stack, parameters, images, manifest: StackManifest.make(stack, images) } satisfies Omit<Deployment, "inputs">
})
