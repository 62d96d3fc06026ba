/**
 * The other side of a runtime client: a small Lambda Runtime API for one worker that remembers every request. It
 * answers what AWS documents and nothing else, so that a client which breaks the contract fails here too.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */
import { randomUUID } from "node:crypto"
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly trailers: NodeJS.Dict<string>
  readonly body: Buffer
}

/** How a worker answered a call: what it posted, and where. */
export interface Answer extends SeenRequest {
  readonly kind: "response" | "error"
}

export interface CallOptions {
  /** The time the worker is told; the peer itself does not enforce it. */
  readonly timeoutMs?: number
  readonly traceId?: string
  readonly clientContext?: string
  readonly identity?: string
  /** The event's bytes where they should not be JSON. */
  readonly rawEvent?: string
}

interface Call {
  readonly id: string
  readonly event: string
  readonly headers: Record<string, string>
  readonly resolve: (answer: Answer) => void
}

const ARN = "arn:aws:lambda:us-east-1:123456789012:function:sample"

/** Node writes header values as Latin-1; the Runtime API carries UTF-8. */
const utf8Header = (value: string) => Buffer.from(value, "utf8").toString("latin1")

export class RuntimeApiPeer {
  readonly requests: Array<SeenRequest> = []
  /** Resolves at the first poll, with `performance.now()`. */
  readonly polled: Promise<number>
  /** How many connections were ever made. */
  connections = 0
  /** While true, bodies of requests are left in the pipe. */
  holdsBodies = false
  readonly #server = createServer({ maxHeaderSize: 1024 * 1024, keepAliveTimeout: 0 }, (request, response) =>
    this.#serve(request, response)
  )
  readonly #token: string | undefined
  #port = 0
  #firstPoll: (at: number) => void = () => {}
  #poll: ServerResponse | undefined
  #queue: Array<Call> = []
  #inFlight: Call | undefined
  #held: Array<() => void> = []

  /** @param token what its worker must prove itself with */
  constructor(token?: string) {
    this.#token = token
    this.polled = new Promise((resolve) => {
      this.#firstPoll = resolve
    })
    this.#server.on("connection", () => this.connections++)
  }

  /** `host:port` */
  get endpoint() {
    return `127.0.0.1:${this.#port}`
  }

  /** Listens, on the same port as before where there was one. */
  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject)
      this.#server.listen(this.#port, "127.0.0.1", () => {
        this.#port = (this.#server.address() as AddressInfo).port
        resolve()
      })
    })
  }

  /** Breaks every connection and listens no more. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#poll = undefined
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }

  /** Breaks every connection; a new one is welcome. */
  cut() {
    this.#poll = undefined
    this.#server.closeAllConnections()
  }

  /** Hands one call to the worker when it polls. */
  call(event: unknown, options: CallOptions = {}): { readonly id: string; readonly answered: Promise<Answer> } {
    const id = randomUUID()
    const answered = new Promise<Answer>((resolve) => {
      this.#queue.push({
        id,
        event: options.rawEvent ?? JSON.stringify(event ?? null),
        headers: callHeaders(id, options),
        resolve
      })
    })
    this.#handOut()
    return { id, answered }
  }

  /** Takes no answer to the call in flight, as if it had timed out. */
  forget() {
    this.#inFlight = undefined
  }

  /** Reads the bodies that were held back. */
  releaseBodies() {
    this.holdsBodies = false
    for (const read of this.#held.splice(0)) read()
  }

  #serve(request: IncomingMessage, response: ServerResponse) {
    const pieces: Array<Buffer> = []
    const read = () => {
      request.on("data", (piece: Buffer) => pieces.push(piece))
      request.on("end", () => {
        const seen: SeenRequest = {
          method: request.method ?? "",
          path: request.url ?? "",
          headers: request.headers,
          trailers: request.trailers,
          body: Buffer.concat(pieces)
        }
        this.requests.push(seen)
        this.#answer(seen, response)
      })
    }
    if (this.holdsBodies && request.method === "POST") this.#held.push(read)
    else read()
  }

  #answer(seen: SeenRequest, response: ServerResponse) {
    const [, id, kind] = /^\/2018-06-01\/runtime\/invocation\/([^/]+)\/(response|error)$/.exec(seen.path) ?? []
    if (seen.method === "GET" && seen.path === "/2018-06-01/runtime/invocation/next") {
      this.#firstPoll(performance.now())
      if (seen.headers["esb-worker-token"] !== this.#token) {
        return reply(response, 403, { errorType: "Forbidden", errorMessage: "not the worker of this Runtime API" })
      }
      this.#poll = response
      return this.#handOut()
    }
    if (seen.method === "POST" && seen.path === "/2018-06-01/runtime/init/error")
      return reply(response, 202, { status: "OK" })
    if (seen.method !== "POST" || id === undefined)
      return reply(response, 404, { errorType: "NotFound", errorMessage: seen.path })
    const call = this.#inFlight
    if (call === undefined || call.id !== id) {
      return reply(response, 400, { errorType: "InvalidRequestID", errorMessage: "Invalid request ID" })
    }
    this.#inFlight = undefined
    reply(response, 202, { status: "OK" })
    call.resolve({ ...seen, kind: kind === "response" ? "response" : "error" })
  }

  #handOut() {
    const poll = this.#poll
    const call = this.#queue[0]
    if (poll === undefined || call === undefined || this.#inFlight !== undefined) return
    this.#queue = this.#queue.slice(1)
    this.#poll = undefined
    this.#inFlight = call
    poll.writeHead(200, { "Content-Type": "application/json", ...call.headers })
    poll.end(call.event)
  }
}

const callHeaders = (id: string, options: CallOptions): Record<string, string> => ({
  "Lambda-Runtime-Aws-Request-Id": id,
  "Lambda-Runtime-Deadline-Ms": String(Date.now() + (options.timeoutMs ?? 3000)),
  "Lambda-Runtime-Invoked-Function-Arn": ARN,
  ...(options.traceId !== undefined && { "Lambda-Runtime-Trace-Id": options.traceId }),
  ...(options.clientContext !== undefined && { "Lambda-Runtime-Client-Context": utf8Header(options.clientContext) }),
  ...(options.identity !== undefined && { "Lambda-Runtime-Cognito-Identity": utf8Header(options.identity) })
})

const reply = (response: ServerResponse, status: number, body: unknown) => {
  response.writeHead(status, { "Content-Type": "application/json" })
  response.end(`${JSON.stringify(body)}\n`)
}
