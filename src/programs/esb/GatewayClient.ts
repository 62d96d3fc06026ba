/** Speaks to the Gateway of the stack that runs in this home, with the token of its `run.json`. */
import { Effect, Schema } from "effect"
import { readFile } from "node:fs/promises"
import { type IncomingHttpHeaders, request as httpRequest } from "node:http"
import { request as httpsRequest } from "node:https"
import * as Home from "./Home.ts"
import { CommandFailed, StackNotRunning } from "./Refusal.ts"
import * as RunFile from "./RunFile.ts"

/** Bytes of an answer: a response of 6 MiB with a log tail, or a page of log lines. */
const largestAnswer = 64 * 1024 ** 2

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface Question {
  readonly method: "GET" | "POST"
  /** With its query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
}

const adviceFor = (run: RunFile.Run) =>
  RunFile.isInContainers(run) ? `\nesb doctor --mode ${run.mode} says what is wrong.` : ""

interface Peer {
  readonly run: RunFile.Run
  /** Certificate of the authority to believe, of a Gateway that speaks HTTPS. */
  readonly authority: string | undefined
}

/** One exchange, however long it takes: how long a function may run is the function's own matter. */
const exchange = ({ authority, run }: Peer, question: Question): Effect.Effect<Answer, CommandFailed> =>
  Effect.callback<Answer, CommandFailed>((resume) => {
    const failed = (cause: Error) =>
      resume(
        Effect.fail(
          new CommandFailed({
            message: `The stack at ${run.gateway} does not answer: ${cause.message}${adviceFor(run)}`
          })
        )
      )
    const url = new URL(question.path, run.gateway)
    const send = url.protocol === "https:" ? httpsRequest : httpRequest
    const headers = { ...question.headers, authorization: `Bearer ${run.token}` }
    const sent = send(url, { method: question.method, headers, agent: false, ca: authority }, (response) => {
      const chunks: Array<Buffer> = []
      let size = 0
      response.on("data", (chunk: Buffer) => {
        size += chunk.length
        if (size > largestAnswer) sent.destroy(new Error(`its answer has more than ${largestAnswer} bytes`))
        else chunks.push(chunk)
      })
      response.on("end", () =>
        resume(
          Effect.succeed({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks)
          })
        )
      )
      response.on("error", failed)
    })
    sent.on("error", failed)
    sent.end(question.body)
    return Effect.sync(() => sent.destroy())
  })

const Told = Schema.fromJsonString(
  Schema.Struct({ message: Schema.optionalKey(Schema.String), Message: Schema.optionalKey(Schema.String) })
)

/** What an answer that is not 2xx says. */
export const complaintOf = (answer: Answer): string => {
  const text = answer.body.toString("utf8")
  const told = Schema.decodeOption(Told)(text)
  return (told._tag === "Some" ? (told.value.message ?? told.value.Message) : undefined) ?? `${answer.status} ${text}`
}

export interface GatewayClient {
  readonly run: RunFile.Run
  readonly home: string
  readonly exchange: (question: Question) => Effect.Effect<Answer, CommandFailed>
  /** The decoded JSON of a page. */
  readonly page: <A>(path: string, schema: Schema.Codec<A, unknown>) => Effect.Effect<A, CommandFailed>
  /** The decoded lines of a page of JSON lines. */
  readonly lines: <A>(path: string, schema: Schema.Codec<A, unknown>) => Effect.Effect<ReadonlyArray<A>, CommandFailed>
}

const parsed = <A>(path: string, text: string, schema: Schema.Codec<A, unknown>) =>
  Schema.decodeEffect(Schema.fromJsonString(schema))(text).pipe(
    Effect.mapError(
      ({ message }) => new CommandFailed({ message: `${path} answers what this esb does not understand: ${message}` })
    )
  )

const make = (home: string, peer: Peer): GatewayClient => {
  const text = Effect.fnUntraced(function* (path: string) {
    const answer = yield* exchange(peer, { method: "GET", path })
    if (answer.status >= 300) return yield* new CommandFailed({ message: `${path}: ${complaintOf(answer)}` })
    return answer.body.toString("utf8")
  })
  return {
    run: peer.run,
    home,
    exchange: (question) => exchange(peer, question),
    page: (path, schema) => Effect.flatMap(text(path), (body) => parsed(path, body, schema)),
    lines: (path, schema) =>
      Effect.flatMap(text(path), (body) =>
        Effect.forEach(
          body.split("\n").filter((line) => line !== ""),
          (line) => parsed(path, line, schema)
        )
      )
  }
}

const authorityIn = (path: string) =>
  Home.attempt("The authority of the stack cannot be read", () => readFile(path, "utf8"))

/** The stack of a home; fails when none runs there. */
export const at = Effect.fnUntraced(function* (home: string | undefined) {
  const run = home === undefined ? undefined : yield* RunFile.read(home)
  if (home === undefined || run === undefined) return yield* new StackNotRunning({ home })
  const authority = RunFile.isInContainers(run) ? yield* authorityIn(run.authority) : undefined
  return make(home, { run, authority })
})

/** The stack that commands of this directory talk about. */
export const connect = Effect.flatMap(Home.find, at)
