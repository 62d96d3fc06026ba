/** HTTP as a test wants it on the wire: targets and headers are sent as they are written, answers are kept as they came. */
import { type IncomingMessage, type OutgoingHttpHeaders, request } from "node:http"
import { Effect } from "effect"

export interface Question {
  readonly method?: string
  /** The raw request target: neither normalised nor encoded. */
  readonly target: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string | Uint8Array
}

export interface Answer {
  readonly status: number
  /** The last value of a header. */
  readonly header: (name: string) => string | undefined
  /** Its values as they came, one for each line. */
  readonly headerLines: (name: string) => ReadonlyArray<string>
  readonly body: Buffer
  readonly text: string
  readonly json: () => unknown
}

/** There was no answer: the connection was refused, reset or closed before its end. */
export interface NoAnswer {
  readonly _tag: "NoAnswer"
  /** `ECONNRESET`, `ECONNREFUSED` … */
  readonly code: string
}

const answerOf = (response: IncomingMessage, body: Buffer): Answer => {
  const headerLines = (name: string) =>
    response.rawHeaders.filter((_, at, all) => at % 2 === 1 && all[at - 1]?.toLowerCase() === name.toLowerCase())
  const text = body.toString()
  return {
    status: response.statusCode ?? 0,
    header: (name) => headerLines(name).at(-1),
    headerLines,
    body,
    text,
    json: () => JSON.parse(text)
  }
}

/** One exchange. An interruption closes the connection, as a caller does who goes away. */
export const ask = (origin: string, question: Question): Effect.Effect<Answer, NoAnswer> =>
  Effect.callback<Answer, NoAnswer>((resume) => {
    const { hostname, port } = new URL(origin)
    const failed = (error: NodeJS.ErrnoException) =>
      resume(Effect.fail({ _tag: "NoAnswer", code: error.code ?? error.message }))
    const { body, headers = {}, method = "GET", target } = question
    const sent = request({ hostname, port, method, path: target, headers }, (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("end", () => resume(Effect.succeed(answerOf(response, Buffer.concat(chunks)))))
      response.on("error", failed)
    })
    sent.on("error", failed)
    sent.end(body)
    return Effect.sync(() => sent.destroy())
  })
