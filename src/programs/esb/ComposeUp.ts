/** `esb up --mode docker` or `containerd`: a template, running in containers, until `esb down`. */
import { ConfigProvider, Effect, Layer, Option, Result } from "effect"
import { join } from "node:path"
import * as ComposeEnvironment from "#layers/docker/ComposeEnvironment"
import * as DockerImageBuilder from "#layers/docker/DockerImageBuilder"
import { authority } from "#layers/x509/FilePairs"
import { ComposeEngineUnreachable, ComposeStack } from "#services/ComposeStack"
import type * as Setting from "../Setting.ts"
import * as Access from "./Access.ts"
import * as AgentLaunch from "./AgentLaunch.ts"
import * as Certificates from "./Certificates.ts"
import { certificates, directoryIn } from "./CertificateSettings.ts"
import * as ContainerCertificates from "./ContainerCertificates.ts"
import * as ConfigFiles from "./ConfigFiles.ts"
import * as Deploy from "./Deploy.ts"
import { deploying } from "./DeploySettings.ts"
import { inherited } from "./Environment.ts"
import * as GatewayLaunch from "./GatewayLaunch.ts"
import * as GivenVariables from "./GivenVariables.ts"
import { HomeDirectory } from "./Globals.ts"
import * as Home from "./Home.ts"
import * as KeptParameters from "./KeptParameters.ts"
import * as ReadyNote from "./ReadyNote.ts"
import { CommandFailed } from "./Refusal.ts"
import { resolved } from "./Resolved.ts"
import * as RunFile from "./RunFile.ts"
import * as ServerImages from "./ServerImages.ts"
import type { UpSettings } from "./Settings.ts"
import * as StackCompose from "./StackCompose.ts"
import * as StackFiles from "./StackFiles.ts"
import * as StackNeighbours from "./StackNeighbours.ts"
import * as StackPlan from "./StackPlan.ts"
import type { inContainers, StackSettings } from "./StackSettings.ts"
import * as TemplatePath from "./TemplatePath.ts"
import * as TemplateStack from "./TemplateStack.ts"
import type { UpFlags } from "./Up.ts"
import { asStep, type Voice, voice as speak } from "./Voice.ts"

/** In the order it happens. It returns when the stack answers; a second time it changes only what has changed. */
export const up = Effect.fn("esb.up.compose")(function* (
  flags: UpFlags,
  given: Setting.Given<typeof inContainers>,
  mode: RunFile.ContainerMode
) {
  const voice = yield* speak
  const template = yield* TemplatePath.find(flags.template)
  const home = yield* Home.forTemplate(template)
  yield* Home.make(home)
  yield* Home.hold(home)
  yield* GatewayLaunch.endLeftover(home)
  yield* AgentLaunch.endLeftover(home)

  const stated = yield* GivenVariables.find(home, mode, given, inherited())
  tellKept(stated.fromBefore, voice)
  return yield* bring({ ...flags, mode, template, home, stated, voice }).pipe(
    Effect.provideService(ConfigProvider.ConfigProvider, stated.config)
  )
}, Effect.scoped)

const tellKept = (names: ReadonlyArray<string>, { note }: Voice) => {
  if (names.length > 0) note(`as given before: ${names.join(", ")} (an empty variable takes one back)`)
}

/** All that the steps of a start have to know. */
interface Undertaking extends Pick<UpFlags, "parameters"> {
  readonly mode: RunFile.ContainerMode
  readonly template: string
  readonly home: string
  readonly stated: Effect.Success<ReturnType<typeof GivenVariables.find>>
  readonly voice: Voice
}

const bring = Effect.fnUntraced(function* ({ home, mode, parameters, stated, template, voice }: Undertaking) {
  const { given, settings, variables } = stated
  const access = yield* Access.make(home, settings)
  const own = directoryIn(home, yield* resolved(certificates, {}))
  const certificateDirectory = ContainerCertificates.directoryIn(own)
  const plan = yield* StackPlan.make({
    mode,
    home,
    template,
    settings,
    access,
    given: variables,
    authority: join(own, authority.certificate),
    certificateDirectory
  })
  yield* refuseAnother(home, plan.run)
  const settled = StackNeighbours.settle(home, plan.run, settings)
  const { machineAddress, variables: networks } = yield* Effect.provide(settled, StackCompose.layer(plan.run))
  yield* Certificates.ensure(own, machineAddress === undefined ? [] : [machineAddress])
  yield* ContainerCertificates.keep(own)
  const hasNewSecrets = yield* StackFiles.make(home, certificateDirectory, plan.secrets)
  yield* writeVariables(plan.run, { ...plan.variables, ...networks })
  yield* ConfigFiles.begin(home)
  yield* buildImages(plan.run, settings, voice)
  // Before anything starts, so that `esb down` finds what a start that fails has left.
  yield* RunFile.write(home, plan.run)
  yield* start(hasNewSecrets, voice).pipe(Effect.provide(StackCompose.layer(plan.run, settings.readyTimeout)))
  // Not what a stack could not be started with.
  yield* GivenVariables.write(home, given)
  yield* deploy(home, { template: Option.some(template), parameters }, settings)
  return yield* tell(home, plan.run, access, settings, voice)
})

/** Those that are given secrets. */
const secretHolders: ReadonlyArray<string> = ["gateway", "s3-storage"]

const start = Effect.fnUntraced(function* (hasNewSecrets: boolean, { note }: Voice) {
  const compose = yield* ComposeStack
  if (hasNewSecrets) {
    const running = (yield* compose.services).map(({ name }) => name).filter((name) => secretHolders.includes(name))
    if (running.length > 0) yield* compose.stop(running, note)
  }
  yield* compose.up(note)
})

/** The template that was named, to the stack of this home, whichever runs elsewhere. */
const deploy = Effect.fnUntraced(function* (home: string, flags: UpFlags, settings: UpSettings & StackSettings) {
  const rest = yield* resolved(deploying, {})
  const { allowUnsupported, buildConcurrency, cache, mode, region, tag } = settings
  yield* Deploy.deploy(
    { ...flags, buildOnly: false },
    { ...rest, allowUnsupported, buildConcurrency, cache, mode, region, tag }
  ).pipe(asStep, Effect.provideService(HomeDirectory, Option.some(home)))
})

const tell = Effect.fnUntraced(function* (
  home: string,
  { authority, gateway: url, region, template }: RunFile.ContainerRun,
  access: Access.Access,
  settings: UpSettings,
  voice: Voice
) {
  // As it was just deployed.
  const kept = yield* KeptParameters.read(home)
  const { stack } = yield* TemplateStack.read({ template, parameters: {}, kept, settings })
  const areRoutesClosed = settings.routeAuth !== "template"
  const readiness = { authority, url, home, region, access, stack, areRoutesClosed }
  yield* voice.result(ReadyNote.machine(readiness), () => ReadyNote.human(readiness))
})

/** One home is one stack: what runs under another name would be forgotten. */
const refuseAnother = Effect.fnUntraced(function* (home: string, { mode, project }: RunFile.ContainerRun) {
  const run = yield* RunFile.read(home)
  if (!RunFile.isInContainers(run)) return
  if (run.mode !== mode) {
    return yield* new CommandFailed({
      message:
        `The stack of ${home} runs in the mode ${run.mode}, not ${mode}: take it down with esb down first. ` +
        `Its data stays, and counts for esb up --mode ${mode}`
    })
  }
  if (run.project === project) return
  return yield* new CommandFailed({
    message: `The stack of ${home} runs as ${run.project}, not ${project}: take it down with esb down first`
  })
})

const writeVariables = Effect.fnUntraced(function* (
  run: RunFile.ContainerRun,
  variables: StackPlan.StackPlan["variables"]
) {
  const text = yield* Effect.fromResult(
    Result.mapError(ComposeEnvironment.text(variables), ({ message }) => new CommandFailed({ message }))
  )
  yield* Home.attempt("The values for Compose cannot be written", () =>
    Home.replaceFile(run.environmentFile, text, 0o600)
  )
})

/** Of this very build; those that a registry of ours has are made here all the same, and named like them. */
const buildImages = (run: RunFile.ContainerRun, settings: StackSettings, voice: Voice) =>
  ServerImages.build({
    mode: run.mode,
    checkout: ServerImages.checkout,
    registry: settings.serverRegistry,
    tag: settings.tag,
    nodeImage: settings.nodeImage,
    isFresh: !settings.cache,
    progress: voice.note
  }).pipe(
    Effect.tap((images) =>
      Effect.sync(() => {
        for (const { outcome, reference } of images) if (outcome === "built") voice.note(`built ${reference}`)
      })
    ),
    Effect.provide(
      Layer.provide(DockerImageBuilder.layer({ engine: run.engine, logins: [] }), StackCompose.layer(run))
    ),
    // The first to ask the engine says what to do when there is none.
    Effect.catchTag("ImageEngineUnreachable", ({ detail, engine }) => new ComposeEngineUnreachable({ engine, detail }))
  )
