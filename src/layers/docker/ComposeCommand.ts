/** Runs Compose: the plugin of the docker client where there is one, else the program of its own. Never through a shell. */
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { StringDecoder } from "node:string_decoder"
import { stripVTControlCharacters } from "node:util"
import { ComposeFailed, ComposeMissing, type Progress } from "#services/ComposeStack"

/** Each is asked for its version, in this order. */
const programs = [["docker", "compose"], ["docker-compose"]] as const
const versionWithin = "10 seconds"

/** How much of what it says is kept for the reader of its failure. */
const keptLines = 20
const keptLineCharacters = 500
/** How long it may take to end when it is asked to, before it is killed. */
const endsWithin = "10 seconds"

type Environment = Readonly<Record<string, string | undefined>>

export interface Ended {
  /** `undefined`: a signal ended it. */
  readonly code: number | undefined
  readonly lastLines: ReadonlyArray<string>
}

/** Compose starts children of its own: the docker client its plugin, the plugin its builders. */
const signalGroup = ({ pid }: ChildProcess, signal: NodeJS.Signals) => {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // Already gone.
  }
}

const stop = (child: ChildProcess, closed: Promise<void>) =>
  Effect.sync(() => signalGroup(child, "SIGTERM")).pipe(
    Effect.andThen(Effect.promise(() => closed)),
    Effect.timeoutOrElse({
      duration: endsWithin,
      orElse: () => Effect.sync(() => signalGroup(child, "SIGKILL"))
    })
  )

/** Whole lines of a stream; Compose rewrites a line of its own with a carriage return. */
const linesTo = (each: (line: string) => void) => {
  const decoder = new StringDecoder("utf8")
  let rest = ""
  const take = (text: string) => {
    const lines = (rest + text).split(/[\r\n]+/)
    rest = (lines.pop() ?? "").slice(-keptLineCharacters)
    for (const line of lines) each(line)
  }
  return { write: (chunk: Buffer) => take(decoder.write(chunk)), end: () => take(`${decoder.end()}\n`) }
}

/** Runs a program to its end, whatever its code. Fails with why it could not be started. Interrupting ends it, with its children. */
const execute = (
  [program, ...first]: readonly [string, ...Array<string>],
  args: ReadonlyArray<string>,
  environment: Environment,
  progress: Progress
): Effect.Effect<Ended, string> =>
  Effect.callback((resume) => {
    const child = spawn(program, [...first, ...args], {
      env: { ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      // Ctrl-C on the terminal reaches only us, so that it ends once.
      detached: true
    })
    let lastLines: ReadonlyArray<string> = []
    let isTrace = false
    const hear = (raw: string) => {
      const line = stripVTControlCharacters(raw).trimEnd().slice(0, keptLineCharacters)
      // Where Compose is a program in Python: what it says behind the trace is what a reader needs.
      isTrace = line.startsWith("Traceback ") || (isTrace && line.startsWith(" "))
      if (line === "" || isTrace) return
      lastLines = [...lastLines, line].slice(-keptLines)
      progress(line)
    }
    for (const stream of [child.stdout, child.stderr]) {
      const lines = linesTo(hear)
      stream.on("data", lines.write).on("end", lines.end)
    }
    const closed = new Promise<void>((resolve) => void child.once("close", () => resolve()))
    child.once("error", (cause) => resume(Effect.fail(cause.message)))
    child.once("close", (code) => resume(Effect.succeed({ code: code ?? undefined, lastLines })))
    return stop(child, closed)
  })

export interface ComposeCommand {
  /** `docker compose` or `docker-compose`. */
  readonly name: string
  /** What it says of its version. */
  readonly version: string
  /** Runs it to its end, whatever its code. Fails when it cannot be run, or takes longer. */
  readonly run: (
    args: ReadonlyArray<string>,
    options: { readonly limitMs: number; readonly progress: Progress }
  ) => Effect.Effect<Ended, ComposeFailed>
}

const silent: Progress = () => undefined

/** The Compose of this machine. */
export const find = Effect.fnUntraced(function* (
  environment: Environment
): Effect.fn.Return<ComposeCommand, ComposeMissing> {
  for (const program of programs) {
    const asked = yield* execute([...program], ["version"], environment, silent).pipe(
      Effect.timeout(versionWithin),
      Effect.option
    )
    if (asked._tag === "None" || asked.value.code !== 0) continue
    const name = program.join(" ")
    return {
      name,
      version: asked.value.lastLines[0] ?? name,
      run: (args, { limitMs, progress }) => {
        const failed = (detail: string) => new ComposeFailed({ command: name, detail })
        return execute([...program], args, environment, progress).pipe(
          Effect.mapError((why) => failed(`it could not be started: ${why}`)),
          Effect.timeoutOrElse({
            duration: limitMs,
            orElse: () => Effect.fail(failed(`${args.join(" ")} took more than ${limitMs / 1000} s`))
          })
        )
      }
    }
  }
  return yield* new ComposeMissing()
})
