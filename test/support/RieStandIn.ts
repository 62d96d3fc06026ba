/**
 * A Runtime Interface Emulator of our own, for machines that lack AWS's, with the faults of that one: it loads the function
 * with the first call, whatever its method; gives every call an id of its own and no trace; answers without headers, a timeout
 * as a 200, an exit as a 502; and ends when a second call comes before the first one's answer. Started like the other:
 * `node RieStandIn.ts --runtime-interface-emulator-address HOST:PORT --runtime-api-address HOST:PORT PROGRAM ARGUMENT…`
 */
import { type ChildProcess, spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { parseArgs } from "node:util"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    "runtime-interface-emulator-address": { type: "string", default: "0.0.0.0:8080" },
    "runtime-api-address": { type: "string", default: "127.0.0.1:9001" }
  }
})
const runtimeApi = values["runtime-api-address"]
const invocationsPath = "/2015-03-31/functions/function/invocations"
const runtimePath = "/2018-06-01/runtime"
const answerLimitBytes = 6 * 1_048_576 + 100

/** What a caller is answered. */
interface Outcome {
  readonly status: number
  readonly body: Buffer
}

interface Call {
  readonly id: string
  readonly event: Buffer
  readonly clientContext: string
  readonly deadlineUnixMs: number
  isHandedOver: boolean
  /** What the runtime has answered so far; it counts once the runtime polls again. */
  said: Buffer | undefined
  readonly end: (outcome: Outcome) => void
}

let runtime: ChildProcess | undefined
let poll: ServerResponse | undefined
let call: Call | undefined

const textOf = (body: string): Buffer => Buffer.from(body)

const read = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const exitReason = (code: number | null, signal: NodeJS.Signals | null): string => {
  if (signal === "SIGKILL") return "Runtime exited with error: signal: killed"
  if (signal !== null) return `Runtime exited with error: signal: ${signal}`
  return code === 0 ? "Runtime exited without providing a reason" : `Runtime exited with error: exit status ${code}`
}

/** The runtime is gone; the next call starts another one. */
const afterExit = (code: number | null, signal: NodeJS.Signals | null): void => {
  runtime = undefined
  poll = undefined
  if (call === undefined) return
  const { id, isHandedOver, said } = call
  const errorMessage = `RequestId: ${id} Error: ${exitReason(code, signal)}`
  const report = textOf(JSON.stringify({ errorType: "Runtime.ExitError", errorMessage }))
  call.end({ status: 502, body: said ?? (isHandedOver ? report : textOf("")) })
}

const startRuntime = (): void => {
  const [program = "/var/runtime/bootstrap", ...words] = positionals
  const child = spawn(program, words, {
    env: { ...process.env, AWS_LAMBDA_RUNTIME_API: runtimeApi },
    stdio: ["ignore", "inherit", "inherit"]
  })
  child.once("exit", (code, signal) => {
    if (runtime === child) afterExit(code, signal)
  })
  runtime = child
}

/** Event and runtime meet, whichever came first. */
const handOver = (): void => {
  if (call === undefined || call.isHandedOver || poll === undefined) return
  call.isHandedOver = true
  const name = process.env["AWS_LAMBDA_FUNCTION_NAME"] ?? "test_function"
  poll.writeHead(200, {
    "Content-Type": "application/json",
    "Lambda-Runtime-Aws-Request-Id": call.id,
    "Lambda-Runtime-Deadline-Ms": String(call.deadlineUnixMs),
    "Lambda-Runtime-Invoked-Function-Arn": `arn:aws:lambda:us-east-1:012345678912:function:${name}`,
    ...(call.clientContext === "" ? {} : { "Lambda-Runtime-Client-Context": call.clientContext })
  })
  poll.end(call.event)
  poll = undefined
}

/** Go's HTTP server names a type for every answer that has none. */
const guessedType = (body: Buffer): Record<string, string> => {
  if (body.length === 0) return {}
  const isPage = /^\s*<(?:!doctype html|html|head|body|div|p|br|a)[\s>]/i.test(body.toString("latin1", 0, 512))
  return { "Content-Type": `text/${isPage ? "html" : "plain"}; charset=utf-8` }
}

const tell = (response: ServerResponse, { body, status }: Outcome): void =>
  void response.writeHead(status, { ...guessedType(body), "Content-Length": body.length }).end(body)

const invoke = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const event = await read(request)
  const context = String(request.headers["x-amz-client-context"] ?? "")
  if (!/^[\w+/=-]*$/.test(context)) return tell(response, { status: 500, body: textOf("") })
  const timeout = process.env["AWS_LAMBDA_FUNCTION_TIMEOUT"] ?? "300"
  // There it is a panic, which its HTTP server survives and this connection does not.
  if (!/^\d+$/.test(timeout)) return void request.socket.destroy()
  if (call !== undefined) process.exit(2)
  const timeoutMs = Number(timeout) * 1_000
  const timer = setTimeout(() => {
    runtime?.kill("SIGKILL")
    runtime = undefined
    call?.end({ status: 200, body: textOf(`Task timed out after ${timeout}.00 seconds`) })
  }, timeoutMs)
  call = {
    id: randomUUID(),
    event,
    clientContext: Buffer.from(context, "base64").toString("latin1"),
    deadlineUnixMs: Date.now() + timeoutMs,
    isHandedOver: false,
    said: undefined,
    end: (outcome) => {
      clearTimeout(timer)
      call = undefined
      tell(response, outcome)
    }
  }
  if (runtime === undefined) startRuntime()
  handOver()
}

const accept = (response: ServerResponse, status = 202): void =>
  void response.writeHead(status, { "Content-Type": "application/json" }).end('{"status":"OK"}\n')

/** A poll is also the runtime's word that it is done with the call before. */
const runtimePolls = (response: ServerResponse): void => {
  poll = response
  if (call?.said !== undefined) call.end({ status: 200, body: call.said })
  handOver()
}

const tooLarge = (bytes: number): Buffer =>
  textOf(
    JSON.stringify({
      errorType: "Function.ResponseSizeTooLarge",
      errorMessage: `Response payload size (${bytes} bytes) exceeded maximum allowed payload size (${answerLimitBytes} bytes).`
    })
  )

const fromRuntime = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const path = (request.url ?? "").slice(runtimePath.length)
  if (path === "/invocation/next") return runtimePolls(response)
  const body = await read(request)
  const isTooLarge = body.length > answerLimitBytes
  if (call !== undefined) call.said = isTooLarge ? tooLarge(body.length) : body
  accept(response, isTooLarge ? 413 : 202)
}

const listen = (address: string, serve: (request: IncomingMessage, response: ServerResponse) => void): void => {
  const [host, port] = address.split(":")
  createServer(serve).listen(Number(port), host)
}

listen(runtimeApi, (request, response) => void fromRuntime(request, response))
listen(values["runtime-interface-emulator-address"], (request, response) => {
  if (request.url === invocationsPath) void invoke(request, response)
  else response.writeHead(404, { "Content-Type": "text/plain; charset=utf-8" }).end("404 page not found\n")
})
