/** Where doors are opened, and the limits of everything that waits or grows behind one. */
import { limits } from "#domain/Invocation"

export interface DoorSettings {
  /** Every door is bound here. */
  readonly bindHost: string
  /** What workers are told to connect to; the same host as seen from where they run. */
  readonly advertisedHost: string
  /** Doors take their ports from here, each port once before any comes again. Below the ephemeral ports. */
  readonly ports: { readonly first: number; readonly last: number }
  /** What extensions that ask are told of the account. */
  readonly accountId: string
  /** From the moment a worker is admitted to its first poll. */
  readonly initLimitMs: number
  /** How long a call waits for a worker that has not polled again since its last one. */
  readonly settleLimitMs: number
  /**
   * How long a fault waits for what would explain it: a cut answer for the news that its worker has ended, an early poll for
   * the answer that should have come before it.
   */
  readonly faultGraceMs: number
  /** Bytes of an answer; a longer one becomes `Function.ResponseSizeTooLarge`. */
  readonly answerLimitBytes: number
  /** Bytes of an answer that are read and thrown away past its limit before its connection is cut. */
  readonly drainLimitBytes: number
  /** Bytes of every other body: registrations, reports of errors. */
  readonly bodyLimitBytes: number
  /** Open connections of one worker. */
  readonly connections: number
  /** Requests that wait for their worker to be admitted. */
  readonly parkedRequests: number
  /** Bytes of one line of output; the rest of a longer one is cut off. */
  readonly lineLimitBytes: number
  /** Bytes of output per second, and how far a worker may run ahead of them. */
  readonly outputRate: { readonly bytesPerSecond: number; readonly burstBytes: number }
  /** `noteworthy` spares a quiet, warm, successful call its START, END and REPORT lines. */
  readonly platformLines: "every-call" | "noteworthy"
}

export const defaults: DoorSettings = {
  bindHost: "127.0.0.1",
  advertisedHost: "127.0.0.1",
  ports: { first: 20_000, last: 29_999 },
  accountId: "000000000000",
  initLimitMs: 10_000,
  settleLimitMs: 2_000,
  faultGraceMs: 100,
  answerLimitBytes: limits.responseBytes,
  drainLimitBytes: 67_108_864,
  bodyLimitBytes: limits.responseBytes,
  connections: 128,
  parkedRequests: 128,
  lineLimitBytes: 262_144,
  outputRate: { bytesPerSecond: 10_485_760, burstBytes: 20_971_520 },
  platformLines: "every-call"
}
