/** The command line as a user meets it: the built program, its exit code and what it writes. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { Effect, Schedule } from "effect"

/** Where the built programs lie; `ESB_DIST` tries another build. */
const dist = process.env["ESB_DIST"] ?? fileURLToPath(new URL("../../dist", import.meta.url))

/** A built program. */
export const programAt = (program: string): string => join(dist, `${program}.js`)

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Surroundings {
  readonly cwd?: string
  readonly input?: string
  readonly environment?: Readonly<Record<string, string>>
  /** The interpreter; the one that runs the tests by default. */
  readonly node?: string
  /** Where its output goes instead of to the test: to a reader that has left already, or to a file. */
  readonly stdout?: "closed" | `/${string}`
}

/** The environment of the tests, without what would point a command at a stack or a setting of the machine. */
const environmentOf = ({ environment }: Surroundings) => {
  const own = ["ESB_HOME", "PORT", "HOST", "AWS_REGION", "AWS_DEFAULT_REGION", "FORCE_COLOR"]
  const rest = Object.entries(process.env).filter(([name]) => !own.includes(name))
  return { ...Object.fromEntries(rest), ...environment }
}

const start = (program: string, args: ReadonlyArray<string>, surroundings: Surroundings): ChildProcess =>
  spawn(surroundings.node ?? process.execPath, [programAt(program), ...args], {
    // A directory of its own: a program may leave its state where it runs, and others look for theirs upwards.
    cwd: surroundings.cwd ?? mkdtempSync(join(tmpdir(), "esb-cwd-")),
    env: environmentOf(surroundings),
    stdio: ["pipe", surroundings.stdout?.startsWith("/") ? openSync(surroundings.stdout, "w") : "pipe", "pipe"]
  })

/** Runs a program to its end; killed when the scope of the test ends first. */
export const runProgram = (program: string, args: ReadonlyArray<string>, surroundings: Surroundings = {}) =>
  Effect.callback<Ended>((resume) => {
    const child = start(program, args, surroundings)
    let [stdout, stderr] = ["", ""]
    if (surroundings.stdout === "closed") child.stdout?.destroy()
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text))
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text))
    child.on("close", (code) => resume(Effect.succeed({ code, stdout, stderr })))
    child.stdin?.end(surroundings.input ?? "")
    return Effect.sync(() => child.kill("SIGKILL"))
  })

export const esb = (args: ReadonlyArray<string>, surroundings: Surroundings = {}) =>
  runProgram("esb", args, surroundings)

/** A new directory with these files, which goes when the scope ends. */
export const project = (files: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const root = mkdtempSync(join(tmpdir(), "esb-cli-"))
      write(root, files)
      return root
    }),
    (root) => Effect.sync(() => rmSync(root, { recursive: true, force: true }))
  )

export const write = (root: string, files: Readonly<Record<string, string>>) => {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
}

export interface Up {
  readonly child: ChildProcess
  /** The ready line, parsed. */
  readonly ready: ReadyLine
  readonly home: string
  readonly stderr: () => string
  /** Everything written to stdout. */
  readonly stdout: () => string
  /** Sends a signal and waits for the end. */
  readonly end: (signal: NodeJS.Signals) => Effect.Effect<number | null>
  readonly runFile: () => { readonly pid: number; readonly gateway: string; readonly token: string }
}

export interface ReadyLine {
  readonly ready: true
  readonly gateway: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly token: string
  readonly functions: ReadonlyArray<{ readonly name: string; readonly routes: ReadonlyArray<string> }>
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

const endWith = (child: ChildProcess, signal: NodeJS.Signals) =>
  Effect.promise(async () => {
    if (hasEnded(child)) return child.exitCode
    const ended = once(child, "exit")
    child.kill(signal)
    await ended
    return child.exitCode
  })

/** `esb up --json --port 0` on the template of a directory, until the scope ends. Rejects with its words when it ends early. */
export const up = (
  root: string,
  args: ReadonlyArray<string> = [],
  environment: Readonly<Record<string, string>> = {}
) =>
  Effect.acquireRelease(
    Effect.promise(async (): Promise<Up> => {
      const child = start("esb", ["up", "--json", "--port", "0", ...args], { cwd: root, environment })
      let [stdout, stderr] = ["", ""]
      child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text))
      child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text))
      const line = await new Promise<string>((resolve, reject) => {
        if (child.stdout !== null) createInterface({ input: child.stdout }).once("line", resolve)
        child.once("exit", (code) => reject(new Error(`esb up ended with ${code}\n${stderr}`)))
      })
      const home = join(root, ".esb")
      return {
        child,
        ready: JSON.parse(line),
        home,
        stderr: () => stderr,
        stdout: () => stdout,
        end: (signal) => endWith(child, signal),
        runFile: () => JSON.parse(readFileSync(join(home, "run.json"), "utf8"))
      }
    }),
    ({ child }) =>
      endWith(child, "SIGTERM").pipe(
        Effect.timeoutOrElse({ duration: "20 seconds", orElse: () => endWith(child, "SIGKILL") })
      )
  )

/** Succeeds as soon as `look` does; fails with its last complaint when that takes too long. */
export const eventually = <A>(look: () => A | Promise<A>, within: "5 seconds" | "15 seconds" = "5 seconds") => {
  let complaint: unknown
  const once = Effect.tryPromise({
    try: async () => look(),
    catch: (cause) => {
      complaint = cause
      return "not yet" as const
    }
  })
  return once.pipe(
    Effect.retry({ while: () => true, schedule: Schedule.spaced("25 millis") }),
    Effect.timeoutOrElse({ duration: within, orElse: () => Effect.die(complaint) })
  )
}

/** A stack of one Node function with one route. */
export const hello = (answer: string): Readonly<Record<string, string>> => ({
  "template.yaml": `AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: hello
      CodeUri: src/
      Handler: app.handler
      Runtime: nodejs24.x
      Events:
        Say: { Type: Api, Properties: { Path: /hello, Method: GET } }
`,
  "src/app.mjs": `export const handler = async (event) => {
  console.log("said " + ${JSON.stringify(answer)})
  if (event.fail) throw new TypeError(event.fail)
  const body = ${JSON.stringify(answer)}
  return event.httpMethod === undefined ? { answer: body, event } : { statusCode: 200, body }
}
`
})
