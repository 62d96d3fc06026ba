/** `esb build`: an image of every function of a template. */
import { Effect, type Option } from "effect"
import * as Home from "./Home.ts"
import type { ImageSettings } from "./ImageSettings.ts"
import * as KeptParameters from "./KeptParameters.ts"
import type { BuildSettings } from "./Settings.ts"
import * as StackImages from "./StackImages.ts"
import * as TemplatePath from "./TemplatePath.ts"
import * as TemplateStack from "./TemplateStack.ts"
import { table, voice as speak } from "./Voice.ts"

export interface BuildFlags {
  readonly template: Option.Option<string>
  readonly parameters: Readonly<Record<string, string>>
}

export const build = Effect.fn("esb.build")(function* (flags: BuildFlags, settings: BuildSettings & ImageSettings) {
  const voice = yield* speak
  const template = yield* TemplatePath.find(flags.template)
  const home = yield* Home.forTemplate(template)
  yield* Home.make(home)

  const kept = yield* KeptParameters.read(home)
  const { stack } = yield* TemplateStack.read({ template, parameters: flags.parameters, kept, settings })
  for (const notice of stack.warnings) voice.warn(TemplateStack.told(template, notice))
  const rows = yield* StackImages.make({ stack, template, home, settings, voice })

  yield* voice.result({ images: rows }, () =>
    table(
      ["FUNCTION", "IMAGE", "DONE"],
      rows.map(({ image, name, outcome }) => [name, image, outcome])
    )
  )
  yield* StackImages.refuseFailures(rows)
})
