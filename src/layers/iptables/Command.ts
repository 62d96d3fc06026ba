/** Runs the commands of the packet filter. */
import { Effect, Schema } from "effect"
import { execFile } from "node:child_process"

const longestRunMs = 15_000
const outputLimitBytes = 8_388_608

/** Rights over the packet filter are the system's to give, and so are its commands. */
const environment = { PATH: "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin", LC_ALL: "C" }

export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", {
  /** There is no such command here. */
  isMissing: Schema.Boolean,
  message: Schema.String
}) {}

/** What it wrote on stdout. Fails when it is missing, ends with another code than 0, or takes longer than 15 s. */
export const run = (command: string, args: ReadonlyArray<string>, input = ""): Effect.Effect<string, CommandFailed> =>
  Effect.callback((resume) => {
    const options = { env: environment, timeout: longestRunMs, maxBuffer: outputLimitBytes, encoding: "utf8" } as const
    const child = execFile(command, [...args], options, (error, stdout, stderr) => {
      if (error === null) return resume(Effect.succeed(stdout))
      const isMissing = error.code === "ENOENT"
      const words = isMissing ? "there is no such command" : stderr.trim() || error.message
      return resume(Effect.fail(new CommandFailed({ isMissing, message: `${command}: ${words}` })))
    })
    // One that ends before it has read everything says why by itself.
    child.stdin?.on("error", () => undefined)
    child.stdin?.end(input)
    return Effect.sync(() => child.kill("SIGKILL"))
  })
