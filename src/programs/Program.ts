/**
 * How a program with settings and no sub-commands starts and ends: `--help` with every setting, `--version`, and exit
 * codes: 0 well (a signal is a good end of a server), 1 failed, 2 wrong usage or a bad setting.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Console, Effect, Exit, Layer, Runtime, Schema } from "effect"
import { CliConfig, type CliError, CliOutput, Command, GlobalFlag, type HelpDoc } from "effect/cli"
import * as Setting from "./Setting.ts"
import { version } from "./Version.ts"

/** One or more settings have no usable value. */
export class BadSettings extends Schema.TaggedError<BadSettings>()("BadSettings", {
  program: Schema.String,
  complaints: Schema.Array(Schema.String)
}) {
  override get message() {
    return [...this.complaints, `Try ${this.program} --help.`].join("\n")
  }
  override readonly [Runtime.errorExitCode] = 2
}

export interface Program<S, E> {
  /** How the program is called on the command line. */
  readonly name: string
  readonly about: string
  /** What else whoever runs it should know: a heading and what stands below it, each. */
  readonly notes?: Readonly<Record<string, string>>
  readonly settings: S
  /** It has work to do and an end: one that a signal ends before has failed. */
  readonly isOneShot?: boolean
  readonly main: (values: Setting.Values<S>) => Effect.Effect<void, E, NodeServices.NodeServices>
}

/** The words of an error, or of the first of its causes that has any: some carry theirs only there. */
const wordsOf = (error: unknown): string | undefined =>
  error instanceof Error ? error.message || wordsOf(error.cause) : undefined

/** What a reader is told of a failure: an expected one in its own words, a bug with its stack. */
export const messageOf = (cause: Cause.Cause<unknown>): string =>
  (Cause.hasDies(cause) ? undefined : wordsOf(Cause.squash(cause))) ?? Cause.pretty(cause)

/** Exit code of a program that ended this way; a signal is a good end, unless there was work to do. */
export const exitCode = (exit: Exit.Exit<unknown, unknown>, isOneShot = false): number => {
  if (Exit.isSuccess(exit)) return 0
  if (Cause.hasInterruptsOnly(exit.cause)) return isOneShot ? 1 : 0
  const error = Cause.squash(exit.cause)
  if (isShowHelp(error)) return error.errors.length === 0 ? 0 : 2
  return Runtime.getErrorExitCode(error)
}

const isShowHelp = (error: unknown): error is CliError.ShowHelp =>
  error instanceof Error && "_tag" in error && error._tag === "ShowHelp"

/** Tells a failure on stderr, unless that was done where it was found. */
export const report = (cause: Cause.Cause<unknown>) =>
  Cause.hasInterruptsOnly(cause) || isShowHelp(Cause.squash(cause)) ? Effect.void : Console.error(messageOf(cause))

const width = 100

/** Breaks text into lines that fit behind an indentation. */
const wrap = (text: string, indent: string): string => {
  const lines = [indent]
  for (const word of text.split(" ")) {
    const line = lines[lines.length - 1] ?? indent
    if (line.trim() !== "" && line.length + word.length + 1 > width) lines.push(indent + word)
    else lines[lines.length - 1] = line.trim() === "" ? indent + word : `${line} ${word}`
  }
  return lines.join("\n")
}

const everyProgram = (isOneShot: boolean) => ({
  "Flags and exit codes":
    "A flag wins over the environment. --help shows this, --version the version.\n" +
    `0: ended well${isOneShot ? "" : ", also by a signal"}. 1: failed${isOneShot ? ", or ended by a signal" : ""}. ` +
    "2: wrong usage, or a setting without a usable value."
})

const helpOf = (program: {
  readonly name: string
  readonly about: string
  readonly notes?: Readonly<Record<string, string>>
  readonly settings: Setting.Settings
  readonly isOneShot?: boolean
}): string => {
  const lines = [`${program.name} ${version}`, wrap(program.about, ""), "", `Usage: ${program.name} [flags]`]
  for (const [heading, rows] of Map.groupBy(Setting.rows(program.settings), (row) => row.group)) {
    lines.push("", heading)
    for (const row of rows) {
      lines.push(`  ${[row.flag, row.env].filter((part) => part !== undefined).join("  ")}`)
      lines.push(
        wrap(`${row.about}. ${row.isRequired ? "Required" : `Default: ${row.fallback}`}; ${row.expected}.`, "      ")
      )
    }
  }
  for (const [heading, text] of Object.entries({ ...program.notes, ...everyProgram(program.isOneShot ?? false) })) {
    lines.push("", heading, ...text.split("\n").map((paragraph) => wrap(paragraph, "  ")))
  }
  lines.push("")
  return lines.join("\n")
}

/** Help goes to stdout when it was asked for; what is wrong with a call goes to stderr, without the whole page. */
export const presenter = (help: (doc: HelpDoc.HelpDoc) => string) =>
  Layer.succeed(CliOutput.Presenter, {
    present: (event) => {
      switch (event._tag) {
        case "Help":
          return Console.log(help(event.helpDoc))
        case "Version":
          return Console.log(`${event.name} ${event.version}`)
        case "InvalidInvocation": {
          const advice = `Try ${event.commandPath.join(" ")} --help.`
          return Console.error([...event.errors.map((error) => error.message), advice].join("\n"))
        }
      }
    }
  })

/** The other built-in flags of effect/cli would take names that settings need, such as `--log-level`. */
const builtIns = CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version] })

/** The program as an effect of its arguments; fails as its main act does, with {@link BadSettings}, or with `ShowHelp`. */
export const run = <S extends Setting.Settings, E>(program: Program<S, E>, args: ReadonlyArray<string>) => {
  const command = Command.make(program.name, Setting.flags(program.settings), (given) =>
    Setting.resolve(program.settings, given as Setting.Given<S>).pipe(
      Effect.mapError(
        (complaints) => new BadSettings({ program: program.name, complaints: complaints.map(({ message }) => message) })
      ),
      Effect.flatMap(program.main)
    )
  )
  return Command.runWith(command, { version })(args).pipe(Effect.provide([presenter(() => helpOf(program)), builtIns]))
}

/** Runs the program as this process. */
export const launch = <S extends Setting.Settings, E>(program: Program<S, E>): void =>
  run(program, process.argv.slice(2)).pipe(
    Effect.provide(NodeServices.layer),
    Effect.tapCause(report),
    NodeRuntime.runMain({
      disableErrorReporting: true,
      teardown: (exit, onExit) => onExit(exitCode(exit, program.isOneShot))
    })
  )
