/** `esb build`: an image of every zip function of a template. */
import { Effect, Layer, type Option, Result } from "effect"
import * as Dockerfile from "#domain/Dockerfile"
import * as FunctionImage from "#domain/FunctionImage"
import type { Stack, StackFunction } from "#domain/Stack"
import * as StackIdentity from "#domain/StackIdentity"
import * as DockerApi from "#layers/docker/DockerApi"
import * as DockerImageBuilder from "#layers/docker/DockerImageBuilder"
import * as EngineAddress from "#layers/docker/EngineAddress"
import { inherited } from "./Environment.ts"
import * as FunctionCode from "./FunctionCode.ts"
import * as FunctionImages from "./FunctionImages.ts"
import * as Home from "./Home.ts"
import type { ImageSettings } from "./ImageSettings.ts"
import * as KeptParameters from "./KeptParameters.ts"
import { CommandFailed, WrongUsage } from "./Refusal.ts"
import type { BuildSettings } from "./Settings.ts"
import * as TemplatePath from "./TemplatePath.ts"
import * as TemplateStack from "./TemplateStack.ts"
import { table, voice as speak, type Voice } from "./Voice.ts"

export interface BuildFlags {
  readonly template: Option.Option<string>
  readonly parameters: Readonly<Record<string, string>>
}

/** What became of one function. */
interface Row {
  readonly name: string
  /** Its image; of a function that failed, the one it would have. */
  readonly image: string
  /** `given`: the template names an image, and nothing is made. */
  readonly outcome: "built" | "unchanged" | "given" | "failed"
  readonly error?: string
}

const defaultBrand = "esb"

const namingOf = ({ brandSlug, environment, projectName, registry, tag }: ImageSettings) =>
  Effect.fromResult(
    StackIdentity.resolve(
      {
        brandSlug: brandSlug ?? (projectName === undefined ? defaultBrand : undefined),
        projectName,
        network: undefined
      },
      environment
    )
  ).pipe(
    Effect.mapError(({ message }) => new WrongUsage({ message })),
    Effect.map((identity): FunctionImage.ImageNaming => ({ identity, registry, tag }))
  )

const loginOf = ({ registry, registryPassword: password, registryUser: username }: ImageSettings) =>
  registry === undefined || username === undefined || password === undefined
    ? undefined
    : { registry: FunctionImage.host(registry), username, password }

const engineOf = Effect.fnUntraced(function* (settings: ImageSettings) {
  const { dockerHost: engine } = settings
  const address = EngineAddress.parse(engine)
  if (address === undefined) {
    return yield* new WrongUsage({ message: `DOCKER_HOST is ${engine}: expected unix:///path or tcp://host:port` })
  }
  return DockerImageBuilder.layer({ engine, login: loginOf(settings) }).pipe(Layer.provide(DockerApi.layer(address)))
})

/** Two functions must not have one image: the later would take the place of the earlier. */
const refuseCollisions = (naming: FunctionImage.ImageNaming, { functions }: Stack) => {
  const names = functions.filter(({ code }) => code._tag !== "Image").map(({ name }) => name)
  const [first] = FunctionImage.collisions(naming, names)
  return first === undefined
    ? Effect.void
    : new CommandFailed({
        message: `${first.join(" and ")} would have one image, ${FunctionImage.reference(naming, first[0] ?? "")}: rename one`
      })
}

const rowsOf = Effect.fnUntraced(function* (
  { stack, template, voice }: { readonly stack: Stack; readonly template: string; readonly voice: Voice },
  options: FunctionImages.ImageOptions,
  concurrency: number
) {
  const codeOf = yield* FunctionCode.make
  const imageOf = yield* FunctionImages.make(options)

  const row = Effect.fnUntraced(function* ({ code, logicalId, name }: StackFunction) {
    if (code._tag === "Image") return { name, image: code.imageUri, outcome: "given" } satisfies Row
    const progress = (step: string) => voice.note(`${logicalId}: ${step}`)
    const made = yield* codeOf({ stack, logicalId, code, template, progress }).pipe(
      Effect.tap(({ warnings }) => Effect.sync(() => warnings.forEach(voice.warn))),
      Effect.flatMap(({ image }) => imageOf({ name, code, artifact: image, progress })),
      Effect.tap(({ warnings }) => Effect.sync(() => warnings.forEach((each) => voice.warn(`${logicalId}: ${each}`)))),
      Effect.result
    )
    const image = FunctionImage.reference(options.naming, name)
    return Result.match(made, {
      onSuccess: ({ outcome }): Row => ({ name, image, outcome }),
      onFailure: ({ message }): Row => ({ name, image, outcome: "failed", error: message })
    })
  })
  return yield* Effect.forEach(stack.functions, row, { concurrency })
})

export const build = Effect.fn("esb.build")(function* (flags: BuildFlags, settings: BuildSettings & ImageSettings) {
  const voice = yield* speak
  const template = yield* TemplatePath.find(flags.template)
  const home = yield* Home.forTemplate(template)
  const naming = yield* namingOf(settings)
  const engine = yield* engineOf(settings)
  yield* Home.make(home)

  const kept = yield* KeptParameters.read(home)
  const { stack } = yield* TemplateStack.read({ template, parameters: flags.parameters, kept, settings })
  for (const notice of stack.warnings) voice.warn(TemplateStack.told(template, notice))
  yield* refuseCollisions(naming, stack)

  const environment = inherited()
  const baseFor = (runtime: string) => environment[Dockerfile.baseVariable(runtime)] || undefined
  const rows = yield* rowsOf(
    { stack, template, voice },
    { naming, isFresh: !settings.cache, baseFor },
    settings.buildConcurrency
  ).pipe(Effect.provide(Layer.merge(FunctionCode.layer(home), engine)))

  yield* voice.result({ images: rows }, () =>
    table(
      ["FUNCTION", "IMAGE", "DONE"],
      rows.map(({ image, name, outcome }) => [name, image, outcome])
    )
  )
  const failures = rows.flatMap(({ error }) => error ?? [])
  if (failures.length > 0) return yield* new CommandFailed({ message: failures.join("\n") })
})
