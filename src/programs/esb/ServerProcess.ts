/** One run of a server of ours, Gateway or Agent, as a child process: started, ready, ended. */
import { Deferred, Effect, Option, Schema } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { StringDecoder } from "node:string_decoder"
import * as CappedLog from "./CappedLog.ts"
import { CommandFailed } from "./Refusal.ts"

/** How long a start may take. */
const readyWithin = "30 seconds"
/** What is kept of its own words, to explain why it ended. */
const keptLines = 5
const keptBytes = 8192
const lastWordsMs = 200
/**
 * One Ctrl-C may come twice: to a whole process group, and again from a process of that group that hands it on. Later it is
 * another one.
 */
const echoMs = 300

const decodeReady = Schema.decodeOption(
  Schema.fromJsonString(Schema.Struct({ ready: Schema.Literal(true), url: Schema.String }))
)

export interface ServerOptions {
  readonly name: "Gateway" | "Agent"
  /** The bundle to run. */
  readonly program: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly logPath: string
  /** Sees every line the server writes. Answers what of it may explain why the server ended. */
  readonly said: (line: string) => string | undefined
}

export interface ServerRun {
  readonly pid: number
  /** Succeeds with the URL once it answers. */
  readonly ready: Effect.Effect<string, CommandFailed>
  /** Succeeds when the process is gone, with why in words. */
  readonly ended: Effect.Effect<string>
}

const signal = (child: ChildProcess, name: NodeJS.Signals, group: boolean) => {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(group ? -child.pid : child.pid, name)
  } catch {
    // Already gone.
  }
}

/** Hands on whole lines of a stream of bytes; the rest waits for its end. */
const lines = (each: (line: string) => void) => {
  const decoder = new StringDecoder("utf8")
  let rest = ""
  return (chunk: Buffer) => {
    const parts = (rest + decoder.write(chunk)).split("\n")
    rest = (parts.pop() ?? "").slice(-keptBytes)
    for (const line of parts) each(line)
  }
}

/**
 * Starts the server in a process group of its own, so that Ctrl-C on the terminal reaches only us. The end of the scope asks
 * it to stop, waits for `patience`, and kills what is left; another Ctrl-C in the meantime kills at once.
 */
export const start = Effect.fnUntraced(function* (options: ServerOptions, patienceMs: number) {
  const url = yield* Deferred.make<string>()
  const end = yield* Deferred.make<string>()
  const log = yield* Effect.acquireRelease(
    Effect.sync(() => CappedLog.open(options.logPath)),
    (log) => Effect.sync(() => log.close())
  )
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, ["--enable-source-maps", options.program], {
        env: { ...options.environment, ESB_READY_FD: "3" },
        // What a list of processes shows.
        argv0: `esb-${options.name.toLowerCase()}`,
        stdio: ["ignore", "pipe", "pipe", "pipe"],
        detached: true
      })
    ),
    (child) => stop(child, Deferred.await(end), patienceMs)
  )

  const last: Array<string> = []
  const hear = lines((line) => {
    const telling = options.said(line)
    if (telling !== undefined) last.push(telling)
    if (last.length > keptLines) last.shift()
  })
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      log.write(chunk)
      hear(chunk)
    })
  }
  const listen = lines((line) => {
    const told = decodeReady(line)
    if (Option.isSome(told)) Deferred.doneUnsafe(url, Effect.succeed(told.value.url))
  })
  child.stdio[3]?.on("data", listen)

  const finish = (how: string) => Deferred.doneUnsafe(end, Effect.succeed([how, ...last].join("\n")))
  child.on("error", (cause) => finish(`it could not be started: ${cause.message}`))
  child.on("exit", (code, name) => {
    const how = name === null ? `it ended with code ${code}` : `it was ended by ${name}`
    // Its last words may still be on their way; something it left behind may hold the pipes for longer.
    const wait = setTimeout(() => finish(how), lastWordsMs)
    child.on("close", () => {
      clearTimeout(wait)
      finish(how)
    })
  })

  const failed = (why: string) => new CommandFailed({ message: `The ${options.name} did not start: ${why}` })
  const run: ServerRun = {
    pid: child.pid ?? 0,
    ended: Deferred.await(end),
    ready: Effect.raceFirst(
      Deferred.await(url),
      Effect.flatMap(Deferred.await(end), (why) => Effect.fail(failed(why)))
    ).pipe(
      Effect.timeoutOrElse({
        duration: readyWithin,
        orElse: () => Effect.fail(failed(`it did not answer within ${readyWithin}`))
      })
    )
  }
  return run
})

/** Does nothing within {@link echoMs} from now. */
const unlessEcho = (act: () => void) => {
  const from = performance.now()
  return () => {
    if (performance.now() - from >= echoMs) act()
  }
}

const stop = (child: ChildProcess, ended: Effect.Effect<string>, patienceMs: number) => {
  const kill = () => signal(child, "SIGKILL", true)
  const impatience = Effect.acquireRelease(
    Effect.sync(() => {
      const again = unlessEcho(kill)
      process.on("SIGINT", again)
      return again
    }),
    (again) => Effect.sync(() => process.off("SIGINT", again))
  )
  return Effect.gen(function* () {
    yield* impatience
    signal(child, "SIGTERM", false)
    yield* ended.pipe(
      Effect.timeoutOrElse({ duration: patienceMs, orElse: () => Effect.andThen(Effect.sync(kill), ended) })
    )
  }).pipe(Effect.scoped)
}
