/** Failures of commands that no other module declares. */
import { Runtime, Schema } from "effect"

/** The command did not do what it was asked to; the message says why, and what to do about it where something can be done. */
export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", {
  message: Schema.String
}) {}

/** The command was called in a way that makes no sense; ends with exit code 2. */
export class WrongUsage extends Schema.TaggedError<WrongUsage>()("WrongUsage", {
  message: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 2
}

/** Somebody was asked and left with Ctrl-C instead of an answer; ends as such a process does. */
export class Abandoned extends Schema.TaggedError<Abandoned>()("Abandoned", {
  message: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 130
}

/** No stack answers from this home. */
export class StackNotRunning extends Schema.TaggedError<StackNotRunning>()("StackNotRunning", {
  home: Schema.UndefinedOr(Schema.String)
}) {
  override get message() {
    const where = this.home === undefined ? "no .esb here or in a directory above" : `none runs in ${this.home}`
    return `No running stack was found: ${where}. Start one with: esb up [template]`
  }
}

/** Another process holds the home. */
export class HomeInUse extends Schema.TaggedError<HomeInUse>()("HomeInUse", {
  home: Schema.String,
  pid: Schema.UndefinedOr(Schema.Int),
  url: Schema.UndefinedOr(Schema.String)
}) {
  override get message() {
    const who = this.pid === undefined ? "another esb" : `process ${this.pid}`
    const where = this.url === undefined ? "is starting" : `answers at ${this.url}`
    return `A stack already runs in ${this.home}: ${who} ${where}. Stop it with Ctrl-C, or choose another home with --home.`
  }
}
