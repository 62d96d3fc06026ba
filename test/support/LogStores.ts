/**
 * Stores that VictoriaLogs's clients can speak to: a real one, and a recorder that takes what a real one takes and remembers
 * what a real one would have lost without a word. Each goes with its scope.
 * @see https://docs.victoriametrics.com/victorialogs/data-ingestion/#json-stream-api
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { pathOf } from "./Engines.ts"
import { eventually } from "./Eventually.ts"
import * as FreePort from "./FreePort.ts"
import { listening } from "./StoreServers.ts"

/** A line as the store tells it: every value is text. */
export type StoredLine = Readonly<Record<string, string>>

/** What a recorder does with a request: takes it, never answers, breaks the connection, or refuses it with a status. */
export type Conduct = "take" | "silent" | "hang up" | number

export interface Recorder {
  readonly url: string
  readonly lines: ReadonlyArray<StoredLine>
  /** What a real store would have dropped, read otherwise than it was meant, or refused. */
  readonly objections: ReadonlyArray<string>
  /** Requests with lines in them, answered or not. */
  readonly requests: () => number
  readonly connections: () => number
  /** How the last of them proved itself. */
  readonly authorization: () => string | undefined
  readonly behave: (conduct: Conduct) => void
}

const longestLineBytes = 262_143
const mostFields = 1_000
const dayMs = 86_400_000
const retention = { pastMs: 7 * dayMs, futureMs: 2 * dayMs }
const parameters = new Set(["_stream_fields", "_msg_field", "_time_field"])

const textOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value))

/** Objects are flattened with dots, all else becomes text, and what is empty is not there. */
const flat = (value: object, prefix = ""): ReadonlyArray<readonly [string, string]> =>
  Object.entries(value).flatMap(([name, inner]: readonly [string, unknown]) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? flat(inner, `${prefix}${name}.`)
      : inner === null || inner === ""
        ? []
        : [[prefix + name, textOf(inner)] as const]
  )

const streamOf = (fields: StoredLine, names: ReadonlyArray<string>): string =>
  `{${names.flatMap((name) => (fields[name] === undefined ? [] : [`${name}=${JSON.stringify(fields[name])}`])).join(",")}}`

class Ingested {
  readonly lines: Array<StoredLine> = []
  readonly objections: Array<string> = []

  /** Whether any line could be read. */
  take(query: URLSearchParams, body: string): boolean {
    for (const name of query.keys()) if (!parameters.has(name)) this.objections.push(`the parameter ${name}`)
    if (!body.endsWith("\n")) this.objections.push("the last line has no end")
    return body
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => this.#line(query, line))
      .some(Boolean)
  }

  #object(why: string, line: string): false {
    this.objections.push(`${why}: ${line.slice(0, 200)}`)
    return false
  }

  #line(query: URLSearchParams, line: string): boolean {
    if (Buffer.byteLength(line) > longestLineBytes) return this.#object("a line of more than 256 KiB", line)
    let parsed: unknown
    try {
      parsed = JSON.parse(line)
    } catch {
      return this.#object("a line that is no JSON", line)
    }
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return this.#object("no object", line)
    const fields = Object.fromEntries(flat(parsed))
    if (Object.keys(fields).length > mostFields) return this.#object("more than 1000 fields", line)
    const {
      [query.get("_time_field") ?? ""]: time = "",
      [query.get("_msg_field") ?? ""]: message = "",
      ...rest
    } = fields
    const ageMs = Date.now() - Date.parse(time)
    if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(time)) return this.#object("no time", line)
    if (ageMs > retention.pastMs || ageMs < -retention.futureMs) return this.#object("a time out of retention", line)
    if (message === "") return this.#object("no message", line)
    const _stream = streamOf(fields, (query.get("_stream_fields") ?? "").split(","))
    if (_stream === "{}") return this.#object("no stream", line)
    if (_stream.includes("trace_id=")) return this.#object("a stream for every trace", line)
    this.lines.push({ _time: time, _msg: message, _stream, ...rest })
    return true
  }
}

const quoted = '"(?:[^"\\\\]|\\\\.)*"'
const condition = new RegExp(`^\\s*(${quoted}|[\\w.]+):(=?)(${quoted})`)

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")

/** As much of LogsQL as the tests ask: `*`, and `field:"phrase"` and `field:="all of it"`, one after the other. */
const matching = (query: string): ((line: StoredLine) => boolean) => {
  if (query.trim() === "*") return () => true
  const tests: Array<(line: StoredLine) => boolean> = []
  for (let rest = query; rest.trim() !== "";) {
    const [all, name = "", exact = "", text = '""'] = condition.exec(rest) ?? []
    if (all === undefined) throw new Error(`the recorder does not understand ${rest}`)
    const field = name.startsWith('"') ? (JSON.parse(name) as string) : name
    const wanted = JSON.parse(text) as string
    const phrase = new RegExp(`(?<![\\w])${escaped(wanted)}(?![\\w])`)
    tests.push((line) => (exact === "=" ? line[field] === wanted : phrase.test(line[field] ?? "")))
    rest = rest.slice(all.length)
  }
  return (line) => tests.every((test) => test(line))
}

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString("utf8")
}

const answer = (response: ServerResponse, status: number, text = ""): void =>
  void response.writeHead(status, { "content-type": "application/json" }).end(text)

/** On this port, where one is given. */
export const recorder = Effect.fnUntraced(function* (port = 0) {
  const ingested = new Ingested()
  let conduct: Conduct = "take"
  let requests = 0
  let connections = 0
  let authorization: string | undefined

  const ingest = async (request: IncomingMessage, response: ServerResponse, query: URLSearchParams) => {
    if (request.method !== "POST") {
      ingested.objections.push(`the method ${request.method}`)
      return answer(response, 405)
    }
    // What looks like a form is read as one, and its lines are gone.
    if (request.headers["content-type"]?.includes("form")) ingested.objections.push("the body is a form")
    const body = await bodyOf(request)
    requests += 1
    authorization = request.headers.authorization
    if (conduct === "silent") return undefined
    if (conduct === "hang up") return void request.socket.destroy()
    if (typeof conduct === "number") return answer(response, conduct, "not now")
    return answer(response, ingested.take(query, body) ? 200 : 400)
  }

  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://recorder")
    if (pathname === "/insert/jsonline") return void ingest(request, response, searchParams)
    if (pathname === "/internal/force_flush") return answer(response, 200)
    if (pathname === "/select/logsql/query") {
      const lines = ingested.lines.filter(matching(searchParams.get("query") ?? ""))
      return answer(response, 200, lines.map((line) => `${JSON.stringify(line)}\n`).join(""))
    }
    ingested.objections.push(`the path ${pathname}`)
    return answer(response, 400, `unsupported path requested: "${pathname}"`)
  })
  server.on("connection", () => (connections += 1))
  const bound = yield* listening(server, port)
  return {
    url: `http://127.0.0.1:${bound}`,
    lines: ingested.lines,
    objections: ingested.objections,
    requests: () => requests,
    connections: () => connections,
    authorization: () => authorization,
    behave: (next) => {
      conduct = next
    }
  } satisfies Recorder as Recorder
})

/** VictoriaLogs, for tests that `needs("victorialogs")`. */
export const victoriaLogs = Effect.gen(function* () {
  const path = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "esb-victorialogs-"))),
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }))
  )
  const port = yield* FreePort.find
  const url = `http://127.0.0.1:${port}`
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(
        pathOf("victorialogs"),
        [`-storageDataPath=${path}`, `-httpListenAddr=127.0.0.1:${port}`, "-retentionPeriod=7d"],
        { stdio: "ignore" }
      )
    ),
    (child) =>
      Effect.promise(async () => {
        if (child.exitCode !== null) return
        child.kill("SIGKILL")
        await once(child, "exit")
      })
  )
  const look = Effect.promise(() =>
    fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false
    )
  )
  yield* eventually("VictoriaLogs is ready", look, (isReady) => isReady, 20_000)
  return { url }
})

/** What the store has of a query of LogsQL, in no particular order. */
export const found = (url: string, query: string): Effect.Effect<ReadonlyArray<StoredLine>> =>
  Effect.promise(async () => {
    await fetch(`${url}/internal/force_flush`)
    const response = await fetch(`${url}/select/logsql/query?${new URLSearchParams({ query })}`)
    const text = await response.text()
    if (!response.ok) throw new Error(`${query}: ${text}`)
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as StoredLine)
  })
