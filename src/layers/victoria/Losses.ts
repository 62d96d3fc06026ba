/** What never reaches a store: counted at once, told now and then. */
import { type Context, Metric } from "effect"
import type { LogRecord } from "#domain/LogRecord"
import type { ShipLimits } from "./ShipLimits.ts"
import type { NotTaken } from "./Store.ts"

/** Why a line never arrives. */
export type LossReason = "queue_full" | "refused" | "unreachable" | "stopped"

export interface Loss {
  readonly lines: number
  /** In a sentence about the last of them. */
  readonly why: string
}

/** @param store by its own name */
export const record = (store: string, { lines, why }: Loss): LogRecord => ({
  atUnixMs: Date.now(),
  source: "system",
  level: "WARNING",
  message: `${lines === 1 ? "1 line" : `${lines} lines`} of logs and traces did not reach ${store}: ${why}`,
  functionName: undefined,
  containerName: undefined,
  requestId: undefined,
  traceId: undefined
})

const lost = Metric.counter("esb_dropped_lines_total", {
  description: "Lines of logs and traces that never reach their store, by the reason.",
  incremental: true
})

/** More of a line than this is not repeated on stderr. */
const repeatedCharacters = 4_096

/** `{"fallback":"victorialogs_failed",…}`; a line that is too long to repeat is left out. */
const complaint = (store: string, error: string, waiting: number, line: string): string => {
  const told = JSON.stringify({ fallback: `${store}_failed`, error, waiting })
  return line.length > repeatedCharacters ? `${told}\n` : `${told.slice(0, -1)},"original_log":${line}}\n`
}

export interface Options {
  /** Name of the store. */
  readonly name: string
  readonly limits: Pick<ShipLimits, "tellEveryMs">
  /** In milliseconds. */
  readonly now: () => number
  /** Where metrics are registered. */
  readonly context: Context.Context<never>
}

export class Losses {
  readonly #options: Options
  readonly #byReason = new Map<LossReason, Metric.Counter<number>>()
  #untold = 0
  #why = ""
  #toldAtMs = Number.NEGATIVE_INFINITY
  #complainedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: Options) {
    this.#options = options
  }

  count(reason: LossReason, lines: number, why: string): void {
    const counter = this.#byReason.get(reason) ?? Metric.withAttributes(lost, { to: this.#options.name, reason })
    this.#byReason.set(reason, counter)
    counter.updateUnsafe(lines, this.#options.context)
    this.#untold += lines
    this.#why = why
  }

  /** There are some that {@link take} was not asked for yet. */
  get areUntold(): boolean {
    return this.#untold > 0
  }

  /** How long it is until they may be told. */
  untilToldMs(): number {
    return Math.max(0, this.#toldAtMs + this.#options.limits.tellEveryMs - this.#options.now())
  }

  /** All that were not told yet: whoever takes them tells. */
  take(): Loss {
    const loss = { lines: this.#untold, why: this.#why }
    this.#untold = 0
    this.#toldAtMs = this.#options.now()
    return loss
  }

  /** Tells on stderr that a request failed, with the first of its lines, unless that was told just now. */
  complain({ detail }: NotTaken, waiting: number, line: string): void {
    const nowMs = this.#options.now()
    if (nowMs < this.#complainedAtMs + this.#options.limits.tellEveryMs) return
    this.#complainedAtMs = nowMs
    process.stderr.write(complaint(this.#options.name, detail, waiting, line))
  }
}
