/** The limits of everything that waits or grows on the way to an emulator. */
import { limits } from "#domain/Invocation"

export interface RieSettings {
  /** How long a new worker may take until it accepts connections. */
  readonly initLimitMs: number
  /** How often a worker that does not is tried, and how long one try may take. */
  readonly probeEveryMs: number
  readonly probeLimitMs: number
  /** How long the connection of a call may take; before it stands no byte has left. */
  readonly connectLimitMs: number
  /**
   * The longest call. An emulator keeps to the function's own `Timeout`; this is for one that does not, so it is longer
   * than the longest timeout and start there are on AWS.
   */
  readonly callLimitMs: number
  /** Bytes of an answer; a longer one becomes `Function.ResponseSizeTooLarge`. */
  readonly answerLimitBytes: number
  /** Workers of which it is remembered whether they may be called. Those that were forgotten are asked anew. */
  readonly rememberedWorkers: number
}

export const defaults: RieSettings = {
  initLimitMs: 10_000,
  probeEveryMs: 10,
  probeLimitMs: 1_000,
  connectLimitMs: 5_000,
  callLimitMs: 930_000,
  answerLimitBytes: limits.responseBytes,
  rememberedWorkers: 10_000
}
