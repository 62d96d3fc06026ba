/** `esb deploy`: builds a template once and gives it to the stack that runs. */
import { Duration, Effect, type Option, Schedule, Schema } from "effect"
import * as ConfigFiles from "./ConfigFiles.ts"
import * as Deployment from "./Deployment.ts"
import * as GatewayClient from "./GatewayClient.ts"
import * as Home from "./Home.ts"
import * as KeptParameters from "./KeptParameters.ts"
import { CommandFailed, StackNotRunning } from "./Refusal.ts"
import * as RunFile from "./RunFile.ts"
import type { BuildSettings } from "./Settings.ts"
import * as TemplatePath from "./TemplatePath.ts"
import { table, voice as speak } from "./Voice.ts"

export interface DeployFlags {
  readonly template: Option.Option<string>
  readonly parameters: Readonly<Record<string, string>>
  readonly buildOnly: boolean
}

/** How long the Gateway may take to notice. */
const noticedWithin = Duration.seconds(10)
const askEvery = Duration.millis(50)

const Functions = Schema.Struct({ revision: Schema.optionalKey(Schema.String) })

/** The home whose stack runs: the one that commands here talk about, else that of the template. */
const runningHome = Effect.fnUntraced(function* (template: string) {
  const candidates = [yield* Home.find, yield* Home.forTemplate(template)]
  for (const home of candidates) {
    if (home !== undefined && (yield* RunFile.read(home)) !== undefined) return home
  }
  return yield* new StackNotRunning({ home: candidates.find((home) => home !== undefined) })
})

/** Succeeds when the Gateway goes by these files and no others. */
const untilTaken = (home: string, written: string) =>
  GatewayClient.at(home).pipe(
    Effect.flatMap((gateway) => gateway.page("/functions", Functions)),
    Effect.map(({ revision }) => revision === written),
    Effect.orElseSucceed(() => false),
    Effect.repeat({ until: (isTaken) => isTaken, schedule: Schedule.spaced(askEvery) }),
    Effect.timeoutOrElse({
      duration: noticedWithin,
      orElse: () =>
        new CommandFailed({
          message: `The Gateway has not taken the new configuration; its log is in ${home}/gateway.log`
        })
    })
  )

export const deploy = Effect.fn("esb.deploy")(function* (flags: DeployFlags, settings: BuildSettings) {
  const voice = yield* speak
  const template = yield* TemplatePath.find(flags.template)
  const home = yield* flags.buildOnly ? Home.forTemplate(template) : runningHome(template)
  if (flags.buildOnly) yield* Home.make(home)

  const kept = yield* KeptParameters.read(home)
  const build = Effect.flatMap(Deployment.make, (prepare) =>
    prepare({ template, parameters: flags.parameters, kept, settings, voice })
  )
  const { images, manifest, parameters } = yield* build.pipe(Effect.provide(Deployment.layer(home)))
  if (flags.buildOnly) {
    const built = [...images].map(([name, image]) => ({ name, image }))
    return yield* voice.result({ built }, () =>
      table(
        ["FUNCTION", "CODE"],
        built.map(({ image, name }) => [name, image])
      )
    )
  }
  yield* KeptParameters.write(home, parameters)
  const written = yield* ConfigFiles.replace(home, manifest)
  yield* untilTaken(home, yield* ConfigFiles.revision(home))
  const lines = ConfigFiles.told(written)
  yield* voice.result(written, () => (lines.length === 0 ? "Nothing has changed." : lines.join("\n")))
})
