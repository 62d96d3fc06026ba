import { Effect } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { load } from "../Lazy.ts"
import { resolved } from "../Resolved.ts"
import { settings } from "../Settings.ts"
import * as Setting from "../../Setting.ts"

export const template = Argument.String("template").pipe(
  Argument.withDescription("SAM template; template.yaml, .yml or .json of this directory by default"),
  Argument.optional
)

export const parameters = Flag.KeyValuePair("parameter").pipe(
  Flag.withAlias("p"),
  Flag.withDescription("Value of a template parameter, NAME=VALUE; may be given often"),
  Flag.withDefault({})
)

const summary = "Run a template until Ctrl-C: builds it, starts the Gateway, follows changes of the code"

export const up = Command.make("up", { template, parameters, ...Setting.flags(settings) }, (given) =>
  Effect.gen(function* () {
    const values = yield* resolved(settings, given)
    const { up } = yield* load(() => import("../Up.ts"))
    return yield* up({ template: given.template, parameters: given.parameters }, values)
  })
).pipe(
  Command.withShortDescription(summary),
  Command.withDescription(
    `${summary}\n\nEvery setting of the Gateway counts here, too. From the environment only:\n${Setting.environmentOnly(settings)}`
  ),
  Command.withExamples([
    { command: "esb up", description: "Run template.yaml of this directory" },
    { command: "esb up api.yaml --port 0 --json", description: "On any free port, with one ready line for a program" }
  ])
)
