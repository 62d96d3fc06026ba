/** Lines that wait to be sent, in order, within limits. What does not fit is turned away: what waits longest tells most. */
import { Buffer } from "node:buffer"
import type { ShipLimits } from "./ShipLimits.ts"

type QueueLimits = Pick<ShipLimits, "queueLines" | "queueBytes" | "batchLines" | "batchBytes">

export class LineQueue {
  readonly #limits: QueueLimits
  #lines: Array<string> = []
  #bytesOf: Array<number> = []
  /** Lines before this one have left. */
  #first = 0
  #bytes = 0

  constructor(limits: QueueLimits) {
    this.#limits = limits
  }

  get length(): number {
    return this.#lines.length - this.#first
  }

  /** One batch can be filled. */
  get isFull(): boolean {
    return this.length >= this.#limits.batchLines || this.#bytes >= this.#limits.batchBytes
  }

  /** Whether there was room. */
  push(line: string): boolean {
    // With its newline.
    const bytes = Buffer.byteLength(line) + 1
    if (this.length >= this.#limits.queueLines || this.#bytes + bytes > this.#limits.queueBytes) return false
    this.#lines.push(line)
    this.#bytesOf.push(bytes)
    this.#bytes += bytes
    return true
  }

  /** The oldest lines: at least one where there is any, and then as many as fit into a request. */
  take(): ReadonlyArray<string> {
    const from = this.#first
    let bytes = 0
    while (this.length > 0 && this.#first - from < this.#limits.batchLines) {
      const next = this.#bytesOf[this.#first] ?? 0
      if (this.#first > from && bytes + next > this.#limits.batchBytes) break
      bytes += next
      this.#first += 1
    }
    const lines = this.#lines.slice(from, this.#first)
    this.#bytes -= bytes
    // Moving the rest to the front is paid for by as many lines that left.
    if (this.#first > this.#lines.length / 2) {
      this.#lines = this.#lines.slice(this.#first)
      this.#bytesOf = this.#bytesOf.slice(this.#first)
      this.#first = 0
    }
    return lines
  }
}
