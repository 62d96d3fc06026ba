import { Effect } from "effect"
import { Command } from "effect/cli"
import { images } from "../ImageSettings.ts"
import { load } from "../Lazy.ts"
import { resolved } from "../Resolved.ts"
import { building } from "../Settings.ts"
import * as Setting from "../../Setting.ts"
import { parameters, template } from "./Up.ts"

const settings = { ...building, ...images }

const summary = "Make an image of every zip function of a template, with a Docker Engine"

export const build = Command.make("build", { template, parameters, ...Setting.flags(settings) }, (given) =>
  Effect.gen(function* () {
    const values = yield* resolved(settings, given)
    const { build } = yield* load(() => import("../Build.ts"))
    yield* build(given, values)
  })
).pipe(
  Command.withShortDescription(summary),
  Command.withDescription(
    `${summary}\n\nAn image begins with AWS's public base of its runtime. ESB_BASE_IMAGE_<RUNTIME>, such as ` +
      "ESB_BASE_IMAGE_NODEJS24_X, names another one."
  ),
  Command.withExamples([
    { command: "esb build", description: "Images in the engine, from template.yaml of this directory" },
    { command: "esb build --registry 127.0.0.1:5010", description: "Pushed to a registry, too" },
    { command: "esb build --no-cache", description: "Every image and every step anew" }
  ])
)
