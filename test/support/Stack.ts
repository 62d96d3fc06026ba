/** A running stack, as a user starts it: `esb up --json`, with a home of its own that goes when the scope ends. */
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { cp, mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { InvokeCommand, type InvokeCommandInput, LambdaClient } from "@aws-sdk/client-lambda"
import { Effect, Schema, type Scope } from "effect"

const Ready = Schema.fromJsonString(
  Schema.Struct({
    ready: Schema.Literal(true),
    gateway: Schema.String,
    region: Schema.String,
    accessKeyId: Schema.String,
    secretAccessKey: Schema.String,
    token: Schema.String,
    functions: Schema.Array(Schema.Struct({ name: Schema.String, routes: Schema.Array(Schema.String) }))
  })
)
export type Ready = typeof Ready.Type

const decodeReady = Schema.decodeUnknownSync(Ready)

const repository = fileURLToPath(new URL("../..", import.meta.url))
export const esb = join(repository, "dist/esb.js")
const sample = join(repository, "test/samples/stack")

export interface Stack extends Ready {
  /** A copy of the sample that a test may change. */
  readonly directory: string
  readonly home: string
  readonly up: ChildProcess
  readonly lambda: LambdaClient
  /** Pid of the Gateway that runs now. */
  readonly gatewayPid: () => Promise<number>
  /** What `up` has written to stderr. */
  readonly stderr: () => string
}

export interface Options {
  readonly environment?: Readonly<Record<string, string>>
  /** Put before the command, such as `strace -f -o FILE`. */
  readonly under?: ReadonlyArray<string>
  readonly template?: string
}

const firstLine = (child: ChildProcess, stderr: () => string): Promise<string> =>
  new Promise((resolve, reject) => {
    if (child.stdout === null) return reject(new Error("esb up has no stdout"))
    createInterface({ input: child.stdout }).once("line", resolve)
    child.once("exit", (code) => reject(new Error(`esb up ended with ${code}\n${stderr()}`)))
    child.once("error", reject)
  })

/** Ends with its whole process tree when asked to; killed when it does not within 20 s. */
const stop = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    const impatience = setTimeout(() => child.kill("SIGKILL"), 20_000)
    child.once("exit", () => {
      clearTimeout(impatience)
      resolve()
    })
    child.kill("SIGTERM")
  })

const launch = async (options: Options): Promise<Stack> => {
  const directory = await mkdtemp(join(tmpdir(), "esb-e2e-"))
  await cp(sample, directory, { recursive: true })
  const home = join(directory, ".esb")
  const template = join(directory, options.template ?? "template.yaml")
  const [command = process.execPath, ...before] = [...(options.under ?? []), process.execPath]
  const child = spawn(command, [...before, esb, "up", template, "--json", "--port", "0", "--home", home], {
    cwd: directory,
    env: { ...process.env, ...options.environment },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let stderr = ""
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-65_536)
  })
  const ready = decodeReady(await firstLine(child, () => stderr))
  const lambda = new LambdaClient({
    endpoint: ready.gateway,
    region: ready.region,
    credentials: { accessKeyId: ready.accessKeyId, secretAccessKey: ready.secretAccessKey },
    maxAttempts: 1
  })
  return {
    ...ready,
    directory,
    home,
    up: child,
    lambda,
    stderr: () => stderr,
    gatewayPid: async () => JSON.parse(await readFile(join(home, "run.json"), "utf8")).pid as number
  }
}

export const make = (options: Options = {}): Effect.Effect<Stack, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => launch(options)),
    (stack) =>
      Effect.promise(async () => {
        stack.lambda.destroy()
        await stop(stack.up)
        await rm(stack.directory, { recursive: true, force: true })
      })
  )

export interface Answer {
  readonly status: number | undefined
  readonly functionError: string | undefined
  readonly payload: unknown
  readonly log: string
}

/** One call through the unmodified SDK. Fails with the SDK's own exception. */
export const invoke = (
  stack: Stack,
  functionName: string,
  payload: unknown = {},
  more: Partial<InvokeCommandInput> = {}
): Effect.Effect<Answer, { readonly name: string; readonly message: string; readonly $metadata?: { httpStatusCode?: number } }> =>
  Effect.tryPromise({
    try: () =>
      stack.lambda.send(new InvokeCommand({ FunctionName: functionName, Payload: JSON.stringify(payload), ...more })),
    catch: (cause) => cause as { readonly name: string; readonly message: string }
  }).pipe(
    Effect.map((answer) => {
      const text = new TextDecoder().decode(answer.Payload)
      return {
        status: answer.StatusCode,
        functionError: answer.FunctionError,
        payload: text === "" ? undefined : JSON.parse(text),
        log: Buffer.from(answer.LogResult ?? "", "base64").toString()
      }
    })
  )
