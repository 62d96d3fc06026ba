/** One request to an Agent's data door and its answer, over undici without its streams. */
import { Buffer } from "node:buffer"
import { Data, Effect } from "effect"
import type { Dispatcher } from "undici"
import type { AnswerStream } from "#domain/Invocation"
import * as InvocationHeaders from "#domain/InvocationHeaders"

/** No byte of the request has left: there was no connection, and none could be made. */
export class NotSent extends Data.TaggedError("NotSent")<{
  readonly detail: string
  /** Nothing was heard; otherwise somebody has said no. */
  readonly timedOut: boolean
}> {
  override get message() {
    return this.detail
  }
}

/** The request, or a part of it, may have arrived. Its answer did not, or not whole. */
export class Broken extends Data.TaggedError("Broken")<{ readonly detail: string }> {
  override get message() {
    return this.detail
  }
}

export interface Request {
  readonly method: "GET" | "POST"
  readonly path: string
  readonly headers: InvocationHeaders.Headers
  readonly body?: Uint8Array
}

export interface Answer {
  readonly status: number
  /** Behind the body, if it was streamed, trailers take the place of headers of the same name. */
  readonly headers: InvocationHeaders.ReceivedHeaders
  /** Empty when it was streamed. */
  readonly body: Uint8Array
  readonly wasStreamed: boolean
}

export type Ask = (request: Request, stream?: AnswerStream) => Effect.Effect<Answer, NotSent | Broken>

/** Who wants to know of exchanges that are open, to end those that hang. */
export interface Onlooker {
  /** An exchange begins, and can be ended by this. Returns what is to be called when it is over. */
  readonly opened: (end: (failure: Broken) => void) => () => void
}

const textOf = (error: Error): string => error.message || error.name

/** Undici's own, the system's, and that of {@link DoorConnector}. */
const timeouts: ReadonlySet<unknown> = new Set(["UND_ERR_CONNECT_TIMEOUT", "ETIMEDOUT"])

const isTimeout = (error: Error): boolean => "code" in error && timeouts.has(error.code)

type Outcome = Effect.Effect<Answer, NotSent | Broken>

class Exchange implements Dispatcher.DispatchHandler {
  readonly #resume: (outcome: Outcome) => void
  readonly #stream: AnswerStream | undefined
  readonly #over: () => void
  #controller: Dispatcher.DispatchController | undefined
  #ended: Broken | undefined
  #status = 0
  #headers: InvocationHeaders.ReceivedHeaders = {}
  #chunks: Array<Buffer> = []
  #streams = false

  constructor(resume: (outcome: Outcome) => void, stream: AnswerStream | undefined, onlooker: Onlooker) {
    this.#resume = resume
    this.#stream = stream
    this.#over = onlooker.opened((failure) => this.end(failure))
  }

  /** Closes the connection, if there is one; what was not sent never will be. */
  end(failure: Broken): void {
    this.#ended ??= failure
    if (this.#controller !== undefined) this.#controller.abort(failure)
    else this.#finish(Effect.fail(new NotSent({ detail: failure.detail, timedOut: false })))
  }

  /** Called before the first byte is written, and not at all when there is no connection. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#ended === undefined) this.#controller = controller
    else controller.abort(this.#ended)
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: InvocationHeaders.ReceivedHeaders): void {
    this.#status = status
    this.#headers = headers
    if (this.#stream === undefined || status !== 200 || headers["trailer"] === undefined) return
    this.#streams = true
    this.#stream.begin(InvocationHeaders.toResult(headers).contentType)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#streams) this.#chunks.push(chunk)
    else if (this.#stream?.write(chunk) === false) {
      controller.pause()
      this.#stream.drained(() => controller.resume())
    }
  }

  onResponseEnd(_: Dispatcher.DispatchController, trailers: InvocationHeaders.ReceivedHeaders): void {
    const [first = Buffer.alloc(0)] = this.#chunks
    const body = this.#chunks.length > 1 ? Buffer.concat(this.#chunks) : first
    const headers = this.#streams ? { ...this.#headers, ...trailers } : this.#headers
    this.#finish(Effect.succeed({ status: this.#status, headers, body, wasStreamed: this.#streams }))
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    const detail = textOf(error)
    const failure =
      this.#controller === undefined
        ? new NotSent({ detail, timedOut: isTimeout(error) })
        : (this.#ended ?? new Broken({ detail }))
    this.#finish(Effect.fail(failure))
  }

  #finish(outcome: Outcome): void {
    this.#over()
    this.#resume(outcome)
  }
}

const left = new Broken({ detail: "nobody waits for the answer any more" })

/** Interrupting it closes the connection, or takes the request back that has none yet. */
export const make = (
  dispatcher: Dispatcher,
  { body, headers, method, path }: Request,
  onlooker: Onlooker,
  stream?: AnswerStream
): Effect.Effect<Answer, NotSent | Broken> =>
  Effect.callback((resume) => {
    const exchange = new Exchange(resume, stream, onlooker)
    const bytes = body === undefined ? null : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    dispatcher.dispatch({ method, path, headers, body: bytes }, exchange)
    return Effect.sync(() => exchange.end(left))
  })
