/** How much of what is told may wait for its store, and how long the store is waited for. */
export interface ShipLimits {
  /** Bytes of one line. VictoriaLogs skips longer ones without a word (`-insert.maxLineSizeBytes`, its newline counted). */
  readonly lineBytes: number
  /** Lines that wait; more are dropped. */
  readonly queueLines: number
  /** Their bytes together. */
  readonly queueBytes: number
  /** Lines of one request. */
  readonly batchLines: number
  /** Bytes of one request. */
  readonly batchBytes: number
  /** Lines wait this long for company. */
  readonly lingerMs: number
  readonly connectLimitMs: number
  /** One request, from its connection to its whole answer. */
  readonly answerLimitMs: number
  /** How often one request is made before its lines are given up. */
  readonly attempts: number
  /** After the first failure nothing is sent for so long, and twice as long after each further one … */
  readonly firstBackoffMs: number
  /** … but never for longer than this. */
  readonly longestBackoffMs: number
  /** How long what waits may take to leave when the program stops. */
  readonly flushLimitMs: number
  /** What goes wrong is told no more often than this. */
  readonly tellEveryMs: number
}

export const defaultLimits: ShipLimits = {
  lineBytes: 262_143,
  queueLines: 50_000,
  queueBytes: 16 * 1024 ** 2,
  batchLines: 1_000,
  batchBytes: 1024 ** 2,
  lingerMs: 500,
  connectLimitMs: 2_000,
  answerLimitMs: 5_000,
  attempts: 8,
  firstBackoffMs: 250,
  longestBackoffMs: 10_000,
  flushLimitMs: 3_000,
  tellEveryMs: 10_000
}
