import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { load } from "../Lazy.ts"
import { resolved } from "../Resolved.ts"
import { building } from "../Settings.ts"
import * as Setting from "../../Setting.ts"
import { parameters, template } from "./Up.ts"

const buildOnly = Flag.Boolean("build-only").pipe(
  Flag.withDescription("Build and keep the code; leave the running stack alone"),
  Flag.withDefault(false)
)

export const deploy = Command.make("deploy", { template, parameters, buildOnly, ...Setting.flags(building) }, (given) =>
  Effect.gen(function* () {
    const values = yield* resolved(building, given)
    const { deploy } = yield* load(() => import("../Deploy.ts"))
    yield* deploy(given, values)
  })
).pipe(Command.withDescription("Build a template and give it to the running stack, in place of what it holds"))
