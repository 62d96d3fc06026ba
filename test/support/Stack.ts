/**
 * A running stack, as a user starts it: `esb up --json`, with a home of its own. When the scope ends the stack is asked to
 * stop, must do so well, and must leave no process behind.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { cp, mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import {
  InvokeCommand,
  type InvokeCommandInput,
  type InvokeCommandOutput,
  LambdaClient,
  type LambdaServiceException
} from "@aws-sdk/client-lambda"
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import * as HttpCaller from "./HttpCaller.ts"
import * as Processes from "./Processes.ts"

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
const esb = join(repository, "dist/esb.js")
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

/** How long a stack may take to stop, and what it left behind to be gone. */
const stopLimitMs = 20_000
const goneLimitMs = 3_000

/** Asks `esb up` to stop, as a terminal does, and answers with its exit code; killed when it does not end in time. */
export const stop = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve(child.exitCode)
    const impatience = setTimeout(() => child.kill("SIGKILL"), stopLimitMs)
    child.once("exit", (code) => {
      clearTimeout(impatience)
      resolve(code)
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
  return {
    ...ready,
    directory,
    home,
    up: child,
    lambda: clientOf(ready),
    stderr: () => stderr,
    gatewayPid: async () => JSON.parse(await readFile(join(home, "run.json"), "utf8")).pid as number
  }
}

/** The unmodified SDK. One attempt: what the stack answers is what the test sees. */
export const clientOf = (ready: Omit<Ready, "ready" | "functions" | "token">, maxAttempts = 1): LambdaClient =>
  new LambdaClient({
    endpoint: ready.gateway,
    region: ready.region,
    credentials: { accessKeyId: ready.accessKeyId, secretAccessKey: ready.secretAccessKey },
    maxAttempts
  })

const end = Effect.fnUntraced(function* (stack: Stack) {
  stack.lambda.destroy()
  const endedAlready = stack.up.exitCode !== null || stack.up.signalCode !== null
  const code = yield* Effect.promise(() => stop(stack.up))
  yield* Processes.allGone(stack.directory, goneLimitMs)
  yield* Effect.promise(() => rm(stack.directory, { recursive: true, force: true }))
  if (endedAlready || code === 0) return
  throw new Error(`esb up ended with ${code ?? stack.up.signalCode}\n${stack.stderr()}`)
})

export const make = (options: Options = {}): Effect.Effect<Stack, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => launch(options)),
    end
  )

/** The stack that the tests of one file share. */
export class Running extends Context.Service<Running, Stack>()("esb/test/Stack") {}

export const layer = (options: Options = {}): Layer.Layer<Running> => Layer.effect(Running, make(options))

/** For `it.layer`: real sockets, processes and time. */
export const live = { timeout: "60 seconds", excludeTestServices: true } as const

/** Plain HTTP with the token of the stack, for what the SDK hides. An interruption breaks the connection. */
const ask = (
  { gateway, token }: Pick<Stack, "gateway" | "token">,
  question: HttpCaller.Question
): Effect.Effect<HttpCaller.Answer, HttpCaller.NoAnswer> =>
  HttpCaller.ask(gateway, { ...question, headers: { authorization: `Bearer ${token}`, ...question.headers } })

export const invokePath = (functionName: string): string =>
  `/2015-03-31/functions/${encodeURIComponent(functionName)}/invocations`

/** One call in plain HTTP. */
export const call = (
  stack: Pick<Stack, "gateway" | "token">,
  functionName: string,
  event: unknown = {},
  headers: Readonly<Record<string, string>> = {}
) => ask(stack, { method: "POST", target: invokePath(functionName), headers, body: JSON.stringify(event) })

const page = <A>(stack: Stack, target: string): Effect.Effect<A, HttpCaller.NoAnswer> =>
  Effect.map(ask(stack, { target }), (answer) => answer.json() as A)

/** One line of `/metrics/pools`. */
export interface PoolLine {
  readonly function_name: string
  readonly total_workers: number
  readonly idle: number
  readonly busy: number
  readonly provisioning: number
  readonly waiting: number
}

/** The workers of a function, as the Gateway counts them; all zero where it has none. */
export const pool = (stack: Stack, functionName: string) =>
  Effect.map(page<{ readonly pools: ReadonlyArray<PoolLine> }>(stack, "/metrics/pools"), ({ pools }) => ({
    total_workers: 0,
    idle: 0,
    busy: 0,
    provisioning: 0,
    waiting: 0,
    ...pools.find(({ function_name }) => function_name === functionName)
  }))

/** What the workers of a function do, as `esb ps` shows it: `idle` is one that asks for its next call. */
export const phases = (stack: Stack, functionName: string) =>
  Effect.map(
    page<{ readonly workers: ReadonlyArray<{ readonly functionName: string; readonly phase: string }> }>(
      stack,
      "/_esb/workers"
    ),
    ({ workers }) => workers.filter((worker) => worker.functionName === functionName).map(({ phase }) => phase)
  )

/** The lines of one call in the log store, in order. */
export const logOf = (stack: Stack, requestId: string) =>
  Effect.map(ask(stack, { target: `/_esb/logs?request=${requestId}&limit=10000` }), ({ text }) =>
    text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as { readonly source: string; readonly message: string })
  )

export interface Answer {
  readonly status: number | undefined
  readonly functionError: string | undefined
  readonly executedVersion: string | undefined
  /** What the SDK took from the header of the answer. */
  readonly requestId: string | undefined
  readonly text: string
  /** The text as JSON, where it is JSON. */
  readonly payload: unknown
  readonly log: string
}

/** The SDK's own exception. */
export type Refusal = LambdaServiceException

/** The SDK has no payload at all where the answer has no body. */
export const textOf = ({ Payload }: InvokeCommandOutput): string => new TextDecoder().decode(Payload ?? undefined)

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    // Streamed answers may be any text.
    return undefined
  }
}

/** One call through the unmodified SDK, with a payload as it is. */
export const send = (
  stack: Pick<Stack, "lambda">,
  input: InvokeCommandInput
): Effect.Effect<InvokeCommandOutput, Refusal> =>
  Effect.tryPromise({
    try: (abortSignal) => stack.lambda.send(new InvokeCommand(input), { abortSignal }),
    catch: (cause) => cause as Refusal
  })

/** One call through the unmodified SDK. Fails with the SDK's own exception. */
export const invoke = (
  stack: Pick<Stack, "lambda">,
  functionName: string,
  payload: unknown = {},
  more: Partial<InvokeCommandInput> = {}
): Effect.Effect<Answer, Refusal> =>
  Effect.map(send(stack, { FunctionName: functionName, Payload: JSON.stringify(payload), ...more }), (answer) => {
    const text = textOf(answer)
    return {
      status: answer.StatusCode,
      functionError: answer.FunctionError,
      executedVersion: answer.ExecutedVersion,
      requestId: answer.$metadata.requestId,
      text,
      payload: parsed(text),
      log: Buffer.from(answer.LogResult ?? "", "base64").toString()
    }
  })
