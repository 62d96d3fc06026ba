/** What has been read of one Agent's log, and where it goes: into the Gateway's own. */
import { Option } from "effect"
import type { LogSink } from "#services/LogSink"
import * as LogEntry from "./LogEntry.ts"

/** Up to where the log of an Agent has been read. Without a run nothing was, and what somebody has read before is left out. */
export interface Bookmark {
  readonly run: string | undefined
  readonly after: number
}

export class LogJournal {
  #bookmark: Bookmark = { run: undefined, after: 0 }
  #hasToldStrange = false
  readonly #address: string
  readonly #write: LogSink["Service"]["write"]

  /** @param address of the Agent */
  constructor(address: string, sink: LogSink["Service"]) {
    this.#address = address
    this.#write = sink.write
  }

  get bookmark(): Bookmark {
    return this.#bookmark
  }

  /** `None` is an entry that this version does not understand. */
  take(read: Option.Option<LogEntry.LogEntry>): void {
    if (Option.isNone(read)) return this.#tellStrange()
    const entry = read.value
    switch (entry._tag) {
      case "Run":
        this.#bookmark = { run: entry.run, after: entry.after }
        return
      case "Line":
        this.#bookmark = { ...this.#bookmark, after: entry.position }
        return this.#write(LogEntry.recordOf(entry))
      case "Lost":
        return this.#remark(`dropped ${entry.count} log lines of workers: it holds only so many until they are read`)
      case "Heartbeat":
        return
    }
  }

  #tellStrange(): void {
    if (this.#hasToldStrange) return
    this.#hasToldStrange = true
    this.#remark("logs what this version does not understand")
  }

  #remark(what: string): void {
    this.#write({
      atUnixMs: Date.now(),
      source: "system",
      level: "WARNING",
      message: `The Agent ${this.#address} ${what}`,
      functionName: undefined,
      containerName: undefined,
      requestId: undefined,
      traceId: undefined
    })
  }
}
