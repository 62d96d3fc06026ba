/** A runtime client made of bare HTTP requests, so that a test decides every step, the wrong ones included. */
import { Buffer } from "node:buffer"
import { Agent, request as send, type ClientRequest, type IncomingHttpHeaders } from "node:http"

export interface Heard {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Name and value in turn, as they were spelled. */
  readonly rawHeaders: ReadonlyArray<string>
  readonly body: Buffer
  readonly trailers: NodeJS.Dict<string>
  readonly json: () => unknown
}

export interface Asked {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

const runtime = "/2018-06-01/runtime"
const extension = "/2020-01-01/extension"

export const heard = (request: ClientRequest): Promise<Heard> =>
  new Promise((resolve, reject) => {
    request.on("error", reject)
    request.on("response", (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("error", reject)
      response.on("end", () => {
        const body = Buffer.concat(chunks)
        const { headers, rawHeaders, statusCode: status = 0, trailers } = response
        const json = (): unknown => JSON.parse(body.toString())
        resolve({ status, headers, rawHeaders, body, trailers, json })
      })
    })
  })

export const make = (endpoint: string) => {
  const [host = "", port = ""] = endpoint.split(":")
  const agent = new Agent({ keepAlive: true })

  /** A request whose body the test writes itself. */
  const begin = (method: string, path: string, headers: Readonly<Record<string, string>> = {}): ClientRequest =>
    send({ host, port, method, path, headers, agent })

  const ask = (method: string, path: string, { headers = {}, body = "" }: Asked = {}): Promise<Heard> => {
    const request = begin(method, path, { ...headers, "content-length": String(Buffer.byteLength(body)) })
    request.end(body)
    return heard(request)
  }

  /** An answer whose body the test writes itself. */
  const beginResponse = (id: string, headers: Readonly<Record<string, string>>): ClientRequest =>
    begin("POST", `${runtime}/invocation/${id}/response`, headers)

  return {
    begin,
    beginResponse,
    heard,
    ask,
    next: (headers: Readonly<Record<string, string>> = {}) => ask("GET", `${runtime}/invocation/next`, { headers }),
    respond: (id: string, body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}) =>
      ask("POST", `${runtime}/invocation/${id}/response`, { body, headers }),
    fail: (id: string, body: string, headers: Readonly<Record<string, string>> = {}) =>
      ask("POST", `${runtime}/invocation/${id}/error`, { body, headers }),
    initError: (body: string, headers: Readonly<Record<string, string>> = {}) =>
      ask("POST", `${runtime}/init/error`, { body, headers }),
    register: (name: string, events: ReadonlyArray<string>, headers: Readonly<Record<string, string>> = {}) =>
      ask("POST", `${extension}/register`, {
        body: JSON.stringify({ events }),
        headers: { "lambda-extension-name": name, ...headers }
      }),
    nextEvent: (id: string) =>
      ask("GET", `${extension}/event/next`, { headers: { "lambda-extension-identifier": id } }),
    /** Cuts every connection. */
    leave: () => agent.destroy()
  }
}

export type RawRuntime = ReturnType<typeof make>
