import { Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as Lasting from "../Lasting.ts"
import { load } from "../Lazy.ts"
import { resolved } from "../Resolved.ts"
import { WrongUsage } from "../Refusal.ts"
import { settings } from "../Settings.ts"
import { inDocker as all, stack } from "../StackSettings.ts"
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

const summary =
  "Run a template until Ctrl-C: builds it, starts the Gateway, follows changes of the code; with --mode docker in containers"

const modes =
  "With --mode docker it returns when the whole stack answers: Gateway, Agent, registry, stores of objects, tables, logs and " +
  "traces. The engine keeps it running until esb down; esb deploy brings a new version; the same command again changes what has " +
  "changed. What it is told then, by flags and variables, counts for the next time, from whichever shell, unless it is told " +
  "anew; an empty variable takes one back. docs/compose.md says more.\n\n" +
  "Of that mode alone are the flags from --project-name on; of the other are --port, --host, --open, --watch, --agent, " +
  "--drain-timeout and --verbose."

/** What only a stack of child processes can be told, and what takes its place in containers. */
const embeddedOnly = {
  port: "--port: in Docker mode the port is that of --gateway-port",
  host: "--host: in Docker mode --gateway-bind says on which address the Gateway answers",
  open: "--open: in Docker mode --gateway-bind says who reaches the Gateway, and --route-auth whom it asks for a token",
  watch: "--watch: in Docker mode a change comes with esb deploy",
  agent: "--agent: in Docker mode there always is one",
  drainTimeout: "--drain-timeout: in Docker mode it is the variable DRAIN_TIMEOUT",
  verbose: "--verbose: in Docker mode docker logs shows what the Gateway says of itself"
} as const

const refuseEmbedded = (given: Setting.Given<typeof settings>) => {
  const isGiven = (key: keyof typeof embeddedOnly) =>
    Option.getOrElse(given[key] ?? Option.none(), () => "false") !== "false"
  const refused = (Object.keys(embeddedOnly) as ReadonlyArray<keyof typeof embeddedOnly>).filter(isGiven)
  return refused.length === 0
    ? Effect.void
    : new WrongUsage({ message: refused.map((key) => embeddedOnly[key]).join("\n") })
}

/** What only containers can be told: a flag is meant, where a variable may be there for something else. */
const refuseDocker = (given: Setting.Given<typeof stack>) => {
  const refused = (Object.keys(stack) as ReadonlyArray<keyof typeof stack>).filter(
    (key) => given[key] !== undefined && Option.isSome(given[key])
  )
  const flags = refused.flatMap((key) => Setting.rows({ [key]: stack[key] })).map(({ flag = "" }) => flag)
  return flags.length === 0
    ? Effect.void
    : new WrongUsage({
        message: flags.map((flag) => `${flag} is of the Docker mode, which --mode docker chooses`).join("\n")
      })
}

export const up = Command.make("up", { template, parameters, ...Setting.flags(all) }, (given) =>
  Effect.gen(function* () {
    const values = yield* resolved(all, given)
    const flags = { template: given.template, parameters: given.parameters }
    if (values.mode === "docker") {
      yield* refuseEmbedded(given)
      const { up } = yield* load(() => import("../DockerUp.ts"))
      return yield* up(flags, given)
    }
    yield* refuseDocker(given)
    Lasting.begin()
    const { up } = yield* load(() => import("../Up.ts"))
    return yield* up(flags, values)
  })
).pipe(
  Command.withShortDescription(summary),
  Command.withDescription(
    `${summary}\n\n${modes}\n\n` +
      `Every setting of the Gateway counts here, too. From the environment only:\n${Setting.environmentOnly(all)}`
  ),
  Command.withExamples([
    { command: "esb up", description: "Run template.yaml of this directory" },
    { command: "esb up api.yaml --port 0 --json", description: "On any free port, with one ready line for a program" },
    { command: "esb up --mode docker", description: "In containers, kept running by a Docker Engine until esb down" },
    {
      command: "esb up --mode docker --gateway-port 8443 --environment staging",
      description: "At another port, as a stack of another name: esb-staging"
    }
  ])
)
