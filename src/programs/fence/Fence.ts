/**
 * The fence around workers as a program of its own: an Agent in a container has no machine's packet filter, and asks the engine
 * to run this for a moment where there is one.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Runtime, Schema } from "effect"
import { Argument, CliConfig, CliOutput, Command, GlobalFlag } from "effect/cli"
import * as Fence from "#domain/WorkerFence"
import * as IptablesWorkerFence from "#layers/iptables/IptablesWorkerFence"
import { WorkerFence } from "#services/WorkerFence"
import { exitCode, presenter, report } from "../Program.ts"
import { version } from "../Version.ts"

/** What was given is no fence, or no stack. */
class BadDescription extends Schema.TaggedError<BadDescription>()("BadDescription", { complaint: Schema.String }) {
  override get message() {
    return `The description cannot be used: ${this.complaint}\nTry fence --help.`
  }
  override readonly [Runtime.errorExitCode] = 2
}

const read = <A, I>(schema: Schema.Codec<A, I>) => {
  const decode = Schema.decodeEffect(Schema.fromJsonString(schema))
  return (text: string) =>
    decode(text).pipe(Effect.mapError(({ message }) => new BadDescription({ complaint: message })))
}

const readFence = read(Fence.WorkerFence)
const readStack = read(Fence.Stack)

const raise = Command.make(
  "raise",
  { fence: Argument.String("fence").pipe(Argument.withDescription("The fence, as JSON")) },
  ({ fence }) =>
    Effect.gen(function* () {
      const described = yield* readFence(fence)
      const { raise } = yield* WorkerFence
      yield* raise(described)
    })
).pipe(Command.withDescription("Fence the workers of a stack in, in place of the fence it has"))

const lower = Command.make(
  "lower",
  {
    stack: Argument.String("stack").pipe(
      Argument.withDescription('Whose fence, as JSON: {"brand":"esb","environment":"local"}')
    )
  },
  ({ stack }) =>
    Effect.gen(function* () {
      const named = yield* readStack(stack)
      const { lower } = yield* WorkerFence
      yield* lower(named)
    })
).pipe(Command.withDescription("Take a stack's fence away; one that is not there is no failure"))

const fence = Command.make("fence").pipe(
  Command.withDescription(
    "The packet filter around the workers of a stack, by this machine's iptables. Needs the right to change them (NET_ADMIN)."
  ),
  Command.withSubcommands([raise, lower])
)

const formatter = CliOutput.defaultFormatter({ colors: process.stdout.hasColors?.() ?? false })

Command.runWith(fence, { version })(process.argv.slice(2)).pipe(
  Effect.provide([
    NodeServices.layer,
    IptablesWorkerFence.layer,
    presenter(formatter.formatHelpDoc),
    CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version] })
  ]),
  Effect.tapCause(report),
  NodeRuntime.runMain({
    disableErrorReporting: true,
    teardown: (exit, onExit) => onExit(exitCode(exit, true))
  })
)
