/**
 * The Lambda Runtime API as a client sees it.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */
import { Connection, type OpenRequest } from "./Connection.ts"
import { errorBody, headerValue } from "./Fault.ts"
import type { HttpAnswer } from "./HttpAnswer.ts"
import { fromAnswer, type Invocation } from "./Invocation.ts"

const VERSION = "/2018-06-01/runtime"

/** The Runtime API does not want this worker any more. */
class Dismissed extends Error {
  override readonly name = "Dismissed"
}

export class RuntimeApi {
  readonly #connection: Connection
  readonly #everyRequest: string
  readonly #next: string

  /**
   * @param endpoint `host:port`
   * @param token proves to our own Runtime API which worker is calling; other ones have none
   * @param goneAfterMs how long nobody may listen before this worker takes itself for an orphan
   */
  constructor(endpoint: string, token: string | undefined, goneAfterMs: number) {
    const owner = token ? `Esb-Worker-Token: ${headerValue(token)}\r\n` : ""
    this.#connection = new Connection(endpoint, goneAfterMs)
    this.#everyRequest = `Host: ${endpoint}\r\nUser-Agent: esb-node-client/${process.versions.node}\r\n${owner}`
    this.#next = `GET ${VERSION}/invocation/next HTTP/1.1\r\n${this.#everyRequest}\r\n`
  }

  /** Waits for the next call. Fails with `RuntimeApiGone`, or with {@link Dismissed} when polling is refused. */
  async next(): Promise<Invocation> {
    const answer = await this.#connection.insist(this.#next)
    if (answer.status === 200) return fromAnswer(answer)
    throw new Dismissed(`the Runtime API answered ${answer.status} to a poll: ${answer.body.toString()}`)
  }

  /** @param json the result, serialised */
  respond(requestId: string, json: string): Promise<HttpAnswer> {
    return this.#post(`/invocation/${requestId}/response`, "", json)
  }

  fail(requestId: string, thrown: unknown): Promise<HttpAnswer> {
    return this.#postError(`/invocation/${requestId}/error`, thrown)
  }

  failInit(thrown: unknown): Promise<HttpAnswer> {
    return this.#postError("/init/error", thrown)
  }

  /** Starts an answer whose body follows in chunks, then perhaps the trailers of a failure. */
  stream(requestId: string, contentType: string): OpenRequest {
    return this.#connection.open(
      `POST ${VERSION}/invocation/${requestId}/response HTTP/1.1\r\n${this.#everyRequest}` +
        `Content-Type: ${headerValue(contentType)}\r\n` +
        "Lambda-Runtime-Function-Response-Mode: streaming\r\n" +
        "Transfer-Encoding: chunked\r\n" +
        "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n"
    )
  }

  #postError(path: string, thrown: unknown): Promise<HttpAnswer> {
    const body = errorBody(thrown)
    const header = `Lambda-Runtime-Function-Error-Type: ${headerValue(body.errorType)}\r\n`
    return this.#post(path, header, JSON.stringify(body))
  }

  #post(path: string, headers: string, json: string): Promise<HttpAnswer> {
    return this.#connection.deliver(
      `POST ${VERSION}${path} HTTP/1.1\r\n${this.#everyRequest}${headers}Content-Type: application/json\r\n` +
        `Content-Length: ${Buffer.byteLength(json)}\r\n\r\n${json}`
    )
  }
}
