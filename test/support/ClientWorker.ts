/** A runtime client as a real child process, polling a {@link RuntimeApiPeer} of its own. */
import { Effect, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, openSync } from "node:fs"
import { type Answer, type CallOptions, RuntimeApiPeer, type SeenRequest } from "./RuntimeApiPeer.ts"

export interface Exit {
  readonly kind: "exit"
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ClientCommand {
  readonly command: string
  readonly arguments: ReadonlyArray<string>
  /** Where the function lies: `LAMBDA_TASK_ROOT` and the working directory. */
  readonly taskRoot: string
  readonly handler: string
  readonly environment?: Readonly<Record<string, string>> | undefined
  /** Leaves the worker's output in its pipes until {@link ClientWorker.readOutput}. */
  readonly holdsOutput?: boolean | undefined
  /** Standard output goes here instead of to {@link ClientWorker.output}. */
  readonly outputFile?: string | undefined
}

export interface ClientWorker {
  readonly peer: RuntimeApiPeer
  readonly pid: number
  /** Ends with the worker's answer, or with its exit when that comes first. */
  readonly invoke: (event?: unknown, options?: CallOptions) => Effect.Effect<(Answer & { readonly id: string }) | Exit>
  readonly exit: Effect.Effect<Exit>
  /** Both streams, in the order of arrival. */
  readonly output: () => string
  readonly readOutput: () => void
  /** What it posted to `init/error`. */
  readonly initError: () => SeenRequest | undefined
}

export const TOKEN = "token-of-this-worker"

const environmentOf = (peer: RuntimeApiPeer, { handler, taskRoot, environment }: ClientCommand) => ({
  PATH: process.env["PATH"],
  TZ: ":UTC",
  AWS_LAMBDA_RUNTIME_API: peer.endpoint,
  ESB_WORKER_TOKEN: TOKEN,
  _HANDLER: handler,
  LAMBDA_TASK_ROOT: taskRoot,
  AWS_LAMBDA_FUNCTION_NAME: "sample",
  AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "128",
  AWS_LAMBDA_LOG_GROUP_NAME: "/aws/lambda/sample",
  AWS_LAMBDA_LOG_STREAM_NAME: "2026/01/02/[$LATEST]0123",
  ...environment
})

/** What lies in the worker's pipes by now is read in the next turn of the loop, which ends with the second of these. */
const nextTurn = async () => {
  await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setImmediate(resolve))
}

const spawnWorker = (peer: RuntimeApiPeer, command: ClientCommand): ChildProcess => {
  const stdout = command.outputFile === undefined ? "pipe" : openSync(command.outputFile, "w")
  const child = spawn(command.command, command.arguments, {
    cwd: command.taskRoot,
    env: environmentOf(peer, command),
    stdio: ["ignore", stdout, "pipe"]
  })
  if (typeof stdout === "number") closeSync(stdout)
  return child
}

/** Starts the worker; it is killed and its peer closed when the scope ends. */
export const start = (command: ClientCommand): Effect.Effect<ClientWorker, never, Scope.Scope> =>
  Effect.gen(function* () {
    const peer = new RuntimeApiPeer(TOKEN)
    yield* Effect.acquireRelease(
      Effect.promise(() => peer.listen()),
      () => Effect.promise(() => peer.stop())
    )
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => spawnWorker(peer, command)),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
    let output = ""
    const readOutput = () => {
      for (const stream of [child.stdout, child.stderr]) {
        stream?.setEncoding("utf8").on("data", (text: string) => (output += text))
      }
    }
    if (command.holdsOutput !== true) readOutput()
    const ended = new Promise<Exit>((resolve, reject) => {
      child.once("error", reject)
      child.once("close", (code, signal) => resolve({ kind: "exit", code, signal }))
    })
    // Who asks for the exit sees a failed start; for the others the call below does.
    ended.catch(() => {})

    return {
      peer,
      pid: child.pid ?? 0,
      invoke: (event, options) =>
        Effect.promise(async () => {
          const { id, answered } = peer.call(event, options)
          const outcome = await Promise.race([answered.then((answer) => ({ ...answer, id })), ended])
          await nextTurn()
          return outcome
        }),
      exit: Effect.promise(() => ended),
      output: () => output,
      readOutput,
      initError: () => peer.requests.find(({ path }) => path.endsWith("/init/error"))
    }
  })
