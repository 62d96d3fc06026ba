/** `esb deploy`: builds a template once and gives it to the stack that runs. */
import { Duration, Effect, type Option, Schedule, Schema } from "effect"
import type { Stack } from "#domain/Stack"
import * as ConfigFiles from "./ConfigFiles.ts"
import * as Deployment from "./Deployment.ts"
import type { DeploySettings } from "./DeploySettings.ts"
import * as DeployTarget from "./DeployTarget.ts"
import * as DeployTurn from "./DeployTurn.ts"
import * as GatewayClient from "./GatewayClient.ts"
import * as ImageDeployment from "./ImageDeployment.ts"
import * as KeptParameters from "./KeptParameters.ts"
import * as Provisioning from "./Provisioning.ts"
import { CommandFailed } from "./Refusal.ts"
import * as RunFile from "./RunFile.ts"
import * as StackCompose from "./StackCompose.ts"
import * as StagingArea from "./StagingArea.ts"
import * as TemplatePath from "./TemplatePath.ts"
import { table, voice as speak, type Voice } from "./Voice.ts"

export interface DeployFlags {
  readonly template: Option.Option<string>
  readonly parameters: Readonly<Record<string, string>>
  readonly buildOnly: boolean
}

/** How long the Gateway may take to notice. */
const noticedWithin = Duration.seconds(10)
const askEvery = Duration.millis(50)

/** In the order it happens: staging, what the functions need, then the functions. */
export const deploy = Effect.fn("esb.deploy")(function* (flags: DeployFlags, given: DeploySettings) {
  const voice = yield* speak
  const template = yield* TemplatePath.find(flags.template)
  const target = yield* DeployTarget.find(template, flags.buildOnly, given)
  const { home } = target
  const settings = DeployTarget.settingsFor(given, target.run)
  yield* DeployTurn.take(home, voice.note)

  const kept = yield* KeptParameters.read(home)
  const request = { template, parameters: flags.parameters, kept, settings, voice }
  const prepared = yield* prepare(target, request, settings)
  const staged = yield* StagingArea.write(home, prepared.manifest)
  if (flags.buildOnly) return yield* tellBuilt(voice, prepared.images, staged)

  const resources = yield* provide(target, prepared, settings, voice)
  yield* KeptParameters.write(home, prepared.parameters)
  const written = yield* ConfigFiles.replace(home, prepared.manifest)
  yield* untilTaken(target, yield* ConfigFiles.revision(home))
  yield* tellDeployed(voice, written, resources)
}, Effect.scoped)

type Prepared = Omit<Deployment.Deployment, "inputs">

const prepare = (
  { home, mode }: DeployTarget.DeployTarget,
  request: Deployment.DeploymentRequest,
  settings: DeployTarget.TargetSettings
) =>
  mode === "embedded"
    ? Effect.flatMap(Deployment.makeWith(Deployment.embedded(settings)), (build) => build(request)).pipe(
        Effect.provide(Deployment.layer(home))
      )
    : ImageDeployment.make({ ...request, mode, settings, home })

/** Whether the Provisioner has anything to do: it asks only stores that are named to it. */
const isWanted = ({ buckets, tables }: Stack, stores: Provisioning.Stores): boolean =>
  (tables.length > 0 && stores.dynamodbEndpoint !== undefined) ||
  (buckets.length > 0 && stores.s3Endpoint !== undefined)

/** Tables and buckets come before the functions that use them; when they cannot be had, nothing else changes. */
const provide = Effect.fnUntraced(function* (
  { home, run }: DeployTarget.DeployTarget,
  { manifest, stack }: Prepared,
  settings: DeploySettings,
  voice: Voice
) {
  if (RunFile.isInContainers(run)) {
    if (stack.tables.length + stack.buckets.length === 0) return []
    yield* ConfigFiles.replaceResources(home, manifest)
    return yield* Provisioning.provide(Provisioning.inStack, voice).pipe(Effect.provide(StackCompose.layer(run)))
  }
  if (!isWanted(stack, settings)) return []
  yield* ConfigFiles.replaceResources(home, manifest)
  return yield* Provisioning.provide(Provisioning.beside(home, settings), voice)
})

const Functions = Schema.Struct({ revision: Schema.optionalKey(Schema.String) })

/** Succeeds when the Gateway goes by these files and no others. */
const untilTaken = ({ home, run }: DeployTarget.DeployTarget, written: string) =>
  GatewayClient.at(home).pipe(
    Effect.flatMap((gateway) => gateway.page("/functions", Functions)),
    Effect.map(({ revision }) => revision === written),
    Effect.orElseSucceed(() => false),
    Effect.repeat({ until: (isTaken) => isTaken, schedule: Schedule.spaced(askEvery) }),
    Effect.timeoutOrElse({
      duration: noticedWithin,
      orElse: () =>
        new CommandFailed({
          message: `The Gateway has not taken the new configuration; look at ${RunFile.isInContainers(run) ? `docker logs ${run.project}-gateway` : `${home}/gateway.log`}`
        })
    })
  )

const tellBuilt = (voice: Voice, images: ReadonlyMap<string, string>, staged: string) => {
  const built = [...images].map(([name, image]) => ({ name, image }))
  voice.note(`The configuration is in ${staged}.`)
  return voice.result({ built, staged }, () =>
    table(
      ["FUNCTION", "CODE"],
      built.map(({ image, name }) => [name, image])
    )
  )
}

const tellDeployed = (voice: Voice, written: ConfigFiles.Written, resources: ReadonlyArray<Provisioning.Resource>) => {
  const lines = ConfigFiles.told(written)
  return voice.result({ ...written, resources }, () => (lines.length === 0 ? "Nothing has changed." : lines.join("\n")))
}
