/** One reading of an Agent's log by its data door, from where the last one stopped until the connection breaks. */
import { Buffer } from "node:buffer"
import { Effect } from "effect"
import { type buildConnector, Client, type Dispatcher } from "undici"
import * as InvocationHeaders from "#domain/InvocationHeaders"
import type { OwnerId } from "#domain/Worker"
import { Broken } from "../door/DoorExchange.ts"
import { logPath, ownerHeader } from "../door/DoorRequest.ts"
import * as LogEntry from "./LogEntry.ts"
import type { LogJournal } from "./LogJournal.ts"

export interface ReadingLimits {
  /** Longer than an Agent is ever silent: it is gone when nothing comes for so long. */
  readonly silenceLimitMs: number
  /** Bytes of one entry: more than the longest line of a worker takes, as JSON. */
  readonly entryBytes: number
}

export const defaultLimits: ReadingLimits = { silenceLimitMs: 20_000, entryBytes: 4 * 1024 ** 2 }

const newline = 0x0a

class Reading implements Dispatcher.DispatchHandler {
  readonly #onEntry: (text: string) => void
  readonly #onEnd: (why: string) => void
  readonly #entryBytes: number
  #begun: Array<Buffer> = []
  #begunBytes = 0

  constructor(entryBytes: number, onEntry: (text: string) => void, onEnd: (why: string) => void) {
    this.#entryBytes = entryBytes
    this.#onEntry = onEntry
    this.#onEnd = onEnd
  }

  onRequestStart(): void {
    // Nothing to keep: a reading ends with its client.
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status !== 200) controller.abort(new Error(`the Agent answered with status ${status}`))
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    let from = 0
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, from)) {
      this.#begun.push(chunk.subarray(from, at))
      this.#onEntry(Buffer.concat(this.#begun).toString("utf8"))
      this.#begun = []
      this.#begunBytes = 0
      from = at + 1
    }
    if (from === chunk.length) return
    this.#begun.push(chunk.subarray(from))
    this.#begunBytes += chunk.length - from
    if (this.#begunBytes > this.#entryBytes) controller.abort(new Error("an entry of the log is too long"))
  }

  onResponseEnd(): void {
    this.#onEnd("the Agent ended it")
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#onEnd(error.message)
  }
}

/** Never succeeds: a log has no end. */
export const read = (
  origin: string,
  connect: buildConnector.connector,
  owner: OwnerId,
  journal: LogJournal,
  limits: ReadingLimits
): Effect.Effect<never, Broken> => {
  const { after, run } = journal.bookmark
  const query = run === undefined ? "" : `?run=${encodeURIComponent(run)}&after=${after}`
  const headers = { [ownerHeader]: InvocationHeaders.ofText(owner) }
  const silence = { headersTimeout: limits.silenceLimitMs, bodyTimeout: limits.silenceLimitMs }
  return Effect.acquireUseRelease(
    Effect.sync(() => new Client(origin, { connect, allowH2: false, ...silence })),
    (client) =>
      Effect.callback<never, Broken>((resume) => {
        const onEnd = (detail: string): void => resume(Effect.fail(new Broken({ detail })))
        const reading = new Reading(limits.entryBytes, (text) => journal.take(LogEntry.decode(text)), onEnd)
        client.dispatch({ method: "GET", path: `${logPath}${query}`, headers }, reading)
      }),
    (client) => Effect.promise(() => client.destroy())
  )
}
