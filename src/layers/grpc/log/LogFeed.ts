/** One Gateway's reading of its log by the data door: line after line for as long as its connection lasts. */
import type { ServerResponse } from "node:http"
import type { OwnerId } from "#domain/Worker"
import type { ForwardedLog } from "./ForwardedLog.ts"
import * as LogEntry from "./LogEntry.ts"
import type { LogRing } from "./LogRing.ts"

export interface FeedLimits {
  /** The longest silence on a feed: then its heartbeat shows that both sides are there. */
  readonly heartbeatMs: number
  /** A Gateway that has not read for so many heartbeats loses its feed; its lines go on waiting for it. */
  readonly missedHeartbeats: number
  /** Characters that are written in one go. */
  readonly passageCharacters: number
}

export const defaultLimits: FeedLimits = { heartbeatMs: 5_000, missedHeartbeats: 6, passageCharacters: 262_144 }

/** Where a Gateway goes on: after this position of this run, or, when it knows none, after what was read before it. */
export interface Bookmark {
  readonly owner: OwnerId
  readonly run: string | undefined
  readonly after: number
}

class Feed {
  readonly #ring: LogRing
  readonly #response: ServerResponse
  readonly #limits: FeedLimits
  #at: number
  #missed = 0
  #isDue = false
  #isQuiet = true

  constructor(ring: LogRing, response: ServerResponse, limits: FeedLimits, after: number) {
    this.#ring = ring
    this.#response = response
    this.#limits = limits
    this.#at = after
  }

  /** Lines that are written in one turn leave together. */
  due(): void {
    if (this.#isDue) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      this.pump()
    })
  }

  /** Writes until there is nothing more, or the connection is full. */
  pump(): void {
    while (!this.#response.writableNeedDrain && !this.#response.destroyed) {
      const passage = this.#ring.read(this.#at, this.#limits.passageCharacters)
      if (passage === undefined) return
      const { last, lost, text } = passage
      this.#at = last
      this.#isQuiet = false
      const told = lost === 0 ? text : LogEntry.entry({ _tag: "Lost", count: lost }) + text
      this.#response.write(told, (error) => {
        if (error === null || error === undefined) this.#ring.deliver(last)
      })
    }
  }

  beat(): void {
    const isStuck = this.#response.writableNeedDrain
    this.#missed = isStuck ? this.#missed + 1 : 0
    if (this.#missed >= this.#limits.missedHeartbeats) this.#response.destroy()
    else if (this.#isQuiet && !isStuck) this.#response.write(LogEntry.entry({ _tag: "Heartbeat" }))
    this.#isQuiet = true
  }
}

export const serve = (
  log: ForwardedLog["Service"],
  { after, owner, run }: Bookmark,
  response: ServerResponse,
  limits: FeedLimits
): void => {
  const ring = log.of(owner)
  response.writeHead(200, { "content-type": "application/x-ndjson", "cache-control": "no-store" })
  const from = run === log.run ? after : ring.delivered
  response.write(LogEntry.entry({ _tag: "Run", run: log.run, after: from }))
  const feed = new Feed(ring, response, limits, from)
  const leave = ring.follow(() => feed.due())
  const heart = setInterval(() => feed.beat(), limits.heartbeatMs)
  response.on("drain", () => feed.pump())
  response.once("close", () => {
    leave()
    clearInterval(heart)
  })
  feed.pump()
}
