/** Runs other people's programs: `npm`, `pip`, an interpreter. */
import { Duration, Effect } from "effect"
import { spawn } from "node:child_process"
import { Unbuildable } from "./Unbuildable.ts"

/** How long one run may take. */
const longestRun = Duration.minutes(10)
/** How much of what a tool says is kept for the reader of its failure. */
const keptLines = 20
const keptBytes = 16_384

export interface ToolRun {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly directory: string
  /** The whole environment of the tool. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

const lastLines = (said: string): string =>
  said
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-keptLines)
    .map((line) => `  ${line}`)
    .join("\n")

/** Ends the tool with everything it started. */
const killGroup = (pid: number | undefined) => {
  if (pid === undefined) return
  try {
    process.kill(-pid, "SIGKILL")
  } catch {
    // Already gone.
  }
}

/**
 * What the tool wrote to stdout. Fails when it cannot be started, ends with another code than 0, or takes more than ten
 * minutes; then with its last lines. Interrupting ends the tool and its children.
 */
export const run = ({ command, args, directory, environment }: ToolRun): Effect.Effect<string, Unbuildable> => {
  const called = [command, ...args].join(" ")
  return Effect.callback<string, Unbuildable>((resume) => {
    const child = spawn(command, args, {
      cwd: directory,
      env: { ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true
    })
    let told = ""
    let said = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      told = (told + text).slice(-keptBytes)
      said = (said + text).slice(-keptBytes)
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-keptBytes)
    })
    child.on("error", (cause) =>
      resume(Effect.fail(new Unbuildable({ detail: `${command} could not be started: ${cause.message}` })))
    )
    child.on("close", (code, signal) =>
      resume(
        code === 0
          ? Effect.succeed(told)
          : Effect.fail(new Unbuildable({ detail: `${called} ended with ${code ?? signal}:\n${lastLines(said)}` }))
      )
    )
    return Effect.sync(() => killGroup(child.pid))
  }).pipe(
    Effect.timeoutOrElse({
      duration: longestRun,
      orElse: () => Effect.fail(new Unbuildable({ detail: `${called} took more than ten minutes` }))
    })
  )
}
