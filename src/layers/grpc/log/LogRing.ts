/** The newest log lines of one owner's workers, kept for him until he has got them, within limits. */
import type { LogRecord } from "#domain/LogRecord"
import * as LogEntry from "./LogEntry.ts"

export interface RingLimits {
  readonly lines: number
  /** Characters of all lines together, as they are written on the wire. */
  readonly characters: number
}

export interface Passage {
  /** Whole lines. */
  readonly text: string
  /** The position of the last of them. */
  readonly last: number
  /** Lines before the first of them that had to make room. */
  readonly lost: number
}

export class LogRing {
  readonly #limits: RingLimits
  readonly #followers = new Set<() => void>()
  /** Lines in order; those before `#first` have left. */
  #lines: Array<string> = []
  #first = 0
  #characters = 0
  /** The position of the newest line. */
  #newest = 0
  /** Up to here somebody has got the lines. */
  #delivered = 0
  /** Lines that left before anybody got them. */
  dropped = 0

  constructor(limits: RingLimits) {
    this.#limits = limits
  }

  get isFollowed(): boolean {
    return this.#followers.size > 0
  }

  get delivered(): number {
    return this.#delivered
  }

  write(record: LogRecord): void {
    this.#newest += 1
    const line = LogEntry.line(this.#newest, record)
    this.#lines.push(line)
    this.#characters += line.length
    this.#makeRoom()
    for (const onLine of this.#followers) onLine()
  }

  /** Lines after this position: at least one, and then as many as fit. `undefined`: there is none yet. */
  read(after: number, characters: number): Passage | undefined {
    const oldest = this.#oldest
    const from = Math.max(after + 1, oldest)
    if (from > this.#newest) return undefined
    let text = ""
    let last = from - 1
    for (; last < this.#newest; last += 1) {
      const line = this.#lines[this.#first + last + 1 - oldest] ?? ""
      if (text !== "" && text.length + line.length > characters) break
      text += line
    }
    return { text, last, lost: from - after - 1 }
  }

  /** Somebody has got everything up to here. */
  deliver(position: number): void {
    this.#delivered = Math.max(this.#delivered, position)
  }

  /** Calls back at every line. Returns how to leave. */
  follow(onLine: () => void): () => void {
    this.#followers.add(onLine)
    return () => void this.#followers.delete(onLine)
  }

  get #oldest(): number {
    return this.#newest - (this.#lines.length - this.#first) + 1
  }

  #makeRoom(): void {
    while (this.#lines.length - this.#first > this.#limits.lines || this.#characters > this.#limits.characters) {
      if (this.#oldest > this.#delivered) this.dropped += 1
      this.#characters -= this.#lines[this.#first]?.length ?? 0
      this.#first += 1
    }
    // Moving the rest to the front is paid for by as many lines that left.
    if (this.#first > this.#lines.length / 2) {
      this.#lines = this.#lines.slice(this.#first)
      this.#first = 0
    }
  }
}
