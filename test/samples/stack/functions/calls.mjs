/** One handler for each way a call can go. */
import { appendFileSync } from "node:fs"
import { createConnection } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"

const worker = crypto.randomUUID()
let calls = 0

export const echo = async (event, context) => {
  console.log("echo", event)
  return {
    event,
    worker,
    calls: ++calls,
    requestId: context.awsRequestId,
    arn: context.invokedFunctionArn,
    functionName: context.functionName,
    functionVersion: context.functionVersion,
    memory: context.memoryLimitInMB,
    remainingMs: context.getRemainingTimeInMillis(),
    clientContext: context.clientContext ?? null,
    traceId: process.env._X_AMZN_TRACE_ID ?? null,
    greeting: process.env.GREETING ?? null,
    environment: Object.keys(process.env).sort()
  }
}

export const fail = async () => {
  throw new TypeError("as asked")
}

export const nothing = async () => undefined

/** Ends its process by a code, or by a signal. */
export const exit = async (event) => {
  if (event.well) return "well"
  if (event.signal === undefined) process.exit(event.code ?? 0)
  process.kill(process.pid, event.signal)
  await sleep(1000)
}

/** Fails behind the back of its call. */
export const stray = async (event) => {
  if (event.rejects) void Promise.reject(new TypeError("nobody listens"))
  else setTimeout(() => { throw new TypeError("nobody catches") })
  await sleep(5000)
}

export const hang = () => new Promise(() => setInterval(() => {}, 1000))

export const big = async (event) => "x".repeat(event.bytes ?? 7 * 1024 * 1024)

/** In lines so long that a page of the log holds all that is kept of a flood. */
export const noisy = async (event) => {
  const line = "x".repeat(8191)
  for (let written = 0; written < event.bytes; written += 8192) {
    console.log(line)
  }
  return "done"
}

/** One line without an end, of whatever bytes. */
export const endless = async (event) => {
  process.stdout.write(Buffer.alloc(event.bytes, event.fill))
  return "done"
}

/** Takes memory until it is stopped. */
export const hungry = async () => {
  const taken = []
  while (true) {
    taken.push(Buffer.alloc(16 * 1024 * 1024, 1))
    await sleep(1)
  }
}

/** Takes its time, then leaves a line in a file if it is given one. */
export const slow = async (event, context) => {
  await sleep(event.ms ?? 500)
  if (event.file !== undefined) {
    appendFileSync(event.file, `${event.id ?? "done"}\n`)
  }
  return {
    worker,
    calls: ++calls,
    pid: process.pid,
    requestId: context.awsRequestId,
    initialisation: process.env.AWS_LAMBDA_INITIALIZATION_TYPE
  }
}

export const stream = globalThis.awslambda?.streamifyResponse(async (event, responseStream) => {
  responseStream.setContentType("text/plain")
  for (const part of event.parts) {
    responseStream.write(part)
    await sleep(5)
  }
  if (event.fail) {
    throw new RangeError("half way")
  }
  responseStream.end()
})

/** Closes the connection to its Runtime API in the middle of an answer. Has nothing left to do then, unless it stays. */
export const cut = (event, context) =>
  new Promise(() => {
    if (event.stays) setInterval(() => {}, 1000)
    const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":")
    const socket = createConnection(Number(port), host, () => {
      socket.write(
        `POST /2018-06-01/runtime/invocation/${context.awsRequestId}/response HTTP/1.1\r\n` +
          `Host: ${host}:${port}\r\nContent-Length: 1000\r\n\r\nhalf`
      )
      setTimeout(() => socket.destroy(), 50)
    })
  })

/** Notes that it ran, before it does anything else. */
export const record = async (event) => {
  appendFileSync(event.file, `${event.id}\n`)
  return event.id
}
