import { Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as Lasting from "../Lasting.ts"
import { load } from "../Lazy.ts"
import { resolved } from "../Resolved.ts"
import { WrongUsage } from "../Refusal.ts"
import { settings } from "../Settings.ts"
import { containerdOnly, inContainers as all, stack } from "../StackSettings.ts"
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
  "Run a template until Ctrl-C: builds it, starts the Gateway, follows changes of the code; with --mode docker or containerd in containers"

const modes =
  "With --mode docker it returns when the whole stack answers: Gateway, Agent, registry, stores of objects, tables, logs and " +
  "traces, all of them containers of a Docker Engine, and workers, too. With --mode containerd workers are containers of a " +
  "containerd that is one of the services. The engine keeps it running until esb down; esb deploy brings a new version; the same command again changes what has " +
  "changed. What it is told then, by flags and variables, counts for the next time, from whichever shell, unless it is told " +
  "anew; an empty variable takes one back. docs/compose.md says more.\n\n" +
  "Of these two modes alone are the flags from --project-name on, those with containerd or cni in their names of the second; of " +
  "the embedded one are --port, --host, --open, --watch, --agent, " +
  "--drain-timeout and --verbose."

/** What only a stack of child processes can be told, and what takes its place in containers. */
const embeddedOnly = {
  port: "--port: in containers the port is that of --gateway-port",
  host: "--host: in containers --gateway-bind says on which address the Gateway answers",
  open: "--open: in containers --gateway-bind says who reaches the Gateway, and --route-auth whom it asks for a token",
  watch: "--watch: in containers a change comes with esb deploy",
  agent: "--agent: in containers there always is one",
  drainTimeout: "--drain-timeout: in containers it is the variable DRAIN_TIMEOUT",
  verbose: "--verbose: in containers docker logs shows what the Gateway says of itself"
} as const

const refuseEmbedded = (given: Setting.Given<typeof settings>) => {
  const isGiven = (key: keyof typeof embeddedOnly) =>
    Option.getOrElse(given[key] ?? Option.none(), () => "false") !== "false"
  const refused = (Object.keys(embeddedOnly) as ReadonlyArray<keyof typeof embeddedOnly>).filter(isGiven)
  return refused.length === 0
    ? Effect.void
    : new WrongUsage({ message: refused.map((key) => embeddedOnly[key]).join("\n") })
}

/** What another mode can be told: a flag is meant, where a variable may be there for something else. */
const refuse = (
  keys: ReadonlyArray<keyof typeof stack>,
  given: Setting.Given<typeof stack>,
  reason: string
): Effect.Effect<void, WrongUsage> => {
  const refused = keys.filter((key) => given[key] !== undefined && Option.isSome(given[key]))
  const flags = refused.flatMap((key) => Setting.rows({ [key]: stack[key] })).map(({ flag = "" }) => flag)
  return flags.length === 0
    ? Effect.void
    : new WrongUsage({ message: flags.map((flag) => `${flag} ${reason}`).join("\n") })
}

const refuseContainers = (given: Setting.Given<typeof stack>) =>
  refuse(
    Object.keys(stack) as ReadonlyArray<keyof typeof stack>,
    given,
    "is of a stack in containers, which --mode docker and --mode containerd choose"
  )

const refuseContainerd = (given: Setting.Given<typeof stack>) =>
  refuse(containerdOnly, given, "is of workers by containerd, which --mode containerd chooses")

export const up = Command.make("up", { template, parameters, ...Setting.flags(all) }, (given) =>
  Effect.gen(function* () {
    const values = yield* resolved(all, given)
    const flags = { template: given.template, parameters: given.parameters }
    if (values.mode !== "embedded") {
      yield* refuseEmbedded(given)
      if (values.mode === "docker") yield* refuseContainerd(given)
      const { up } = yield* load(() => import("../ComposeUp.ts"))
      return yield* up(flags, given, values.mode)
    }
    yield* refuseContainers(given)
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
      command: "esb up --mode containerd",
      description: "The same, with workers that a containerd of the stack's own starts"
    },
    {
      command: "esb up --mode docker --gateway-port 8443 --environment staging",
      description: "At another port, as a stack of another name: esb-staging"
    }
  ])
)
