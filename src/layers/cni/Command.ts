/** Runs plugins and the system's commands for networks, in the network namespace where the bridge is. */
import { Effect, Result, Schema } from "effect"
import { spawn } from "node:child_process"

const outputLimitBytes = 1_048_576

/** Rights over networks are the system's to give, and so are its commands. Nothing of this process's environment is told. */
const path = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"

/** It could not be started, took too long, or wrote too much. */
export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", { message: Schema.String }) {}

export interface Ended {
  /** `undefined`: a signal ended it. */
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
}

export interface Command {
  readonly program: string
  readonly args?: ReadonlyArray<string>
  readonly environment?: Readonly<Record<string, string>>
  readonly input?: string
}

export interface Place {
  readonly machineNamespace: string | undefined
  readonly commandLimitMs: number
}

/** Only the network changes: what is pinned in the file system is seen by everybody. */
const inside = ({ machineNamespace }: Place, { args = [], program }: Command): readonly [string, Array<string>] =>
  machineNamespace === undefined
    ? [program, [...args]]
    : ["nsenter", [`--net=${machineNamespace}`, "--", program, ...args]]

/** A group of its own: plugins start others, which have to go with them. The answer kills whatever is left of it. */
const start = (place: Place, command: Command, told: (outcome: Result.Result<Ended, CommandFailed>) => void) => {
  const env = { ...command.environment, PATH: path, LC_ALL: "C" }
  const child = spawn(...inside(place, command), { env, detached: true, stdio: "pipe" })
  const output = { stdout: new Array<Buffer>(), stderr: new Array<Buffer>() }
  let bytes = 0
  const kill = () => {
    clearTimeout(limit)
    // Nothing is waited for that one of them may have handed on.
    for (const stream of child.stdio) stream?.destroy()
    if (child.pid === undefined) return
    try {
      process.kill(-child.pid, "SIGKILL")
    } catch {
      // It ended by itself meanwhile, with all it had started.
    }
  }
  const fail = (why: string) => {
    kill()
    told(Result.fail(new CommandFailed({ message: `${command.program}: ${why}` })))
  }
  const limit = setTimeout(() => fail(`no end after ${place.commandLimitMs} ms`), place.commandLimitMs)
  for (const name of ["stdout", "stderr"] as const) {
    child[name].on("data", (chunk: Buffer) => {
      output[name].push(chunk)
      bytes += chunk.length
      if (bytes > outputLimitBytes) fail(`more than ${outputLimitBytes} bytes of output`)
    })
  }
  child.on("error", (error) => fail(error.message))
  child.on("close", (code) => {
    clearTimeout(limit)
    const [stdout = "", stderr = ""] = [output.stdout, output.stderr].map((chunks) => Buffer.concat(chunks).toString())
    told(Result.succeed({ code: code ?? undefined, stdout, stderr }))
  })
  // One that ends before it has read everything says why by itself.
  child.stdin.on("error", () => undefined)
  child.stdin.end(command.input ?? "")
  return kill
}

export const run = (place: Place, command: Command): Effect.Effect<Ended, CommandFailed> =>
  Effect.callback((resume) => {
    const kill = start(place, command, (outcome) => resume(Effect.fromResult(outcome)))
    return Effect.sync(kill)
  })

/** What it wrote on stdout. Fails when it ends with another code than 0 as well, with what it wrote on stderr. */
export const succeed = (place: Place, program: string, ...args: ReadonlyArray<string>) =>
  Effect.flatMap(run(place, { program, args }), ({ code, stderr, stdout }) =>
    code === 0
      ? Effect.succeed(stdout)
      : Effect.fail(
          new CommandFailed({ message: `${[program, ...args].join(" ")}: ${stderr.trim() || `code ${code}`}` })
        )
  )
