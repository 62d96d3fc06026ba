/**
 * Keeps calls away from a function that the platform keeps failing: opens after so many failures in a row, and after a rest
 * lets one call through to see. Errors of the function itself do not count, nor does what no caller waits for, nor that all
 * workers are out of reach.
 */
export type Breaker =
  | { readonly _tag: "Closed"; readonly failures: number }
  | { readonly _tag: "Open"; readonly failures: number; readonly sinceMs: number }
  /** One call is on its way to find out; others are refused meanwhile. */
  | { readonly _tag: "Probing"; readonly failures: number; readonly sinceMs: number }

export interface BreakerLimits {
  /** Failures in a row that open it. */
  readonly threshold: number
  /** How long it stays open before one call may try. */
  readonly recoveryMs: number
}

export type Admission =
  | { readonly _tag: "Admitted" }
  | { readonly _tag: "Refused"; readonly failures: number; readonly retryAfterMs: number }

export const closed: Breaker = { _tag: "Closed", failures: 0 }

const admitted: Admission = { _tag: "Admitted" }

/** A probe that never reports back is forgotten after another recovery time. */
export const admit = (breaker: Breaker, nowMs: number, limits: BreakerLimits): readonly [Breaker, Admission] => {
  if (breaker._tag === "Closed") {
    return [breaker, admitted]
  }
  const restedMs = nowMs - breaker.sinceMs
  return restedMs >= limits.recoveryMs
    ? [{ _tag: "Probing", failures: breaker.failures, sinceMs: nowMs }, admitted]
    : [breaker, { _tag: "Refused", failures: breaker.failures, retryAfterMs: limits.recoveryMs - restedMs }]
}

/** A probe has found nothing out: another may go at once. */
export const undecided = (breaker: Breaker, nowMs: number, { recoveryMs }: BreakerLimits): Breaker =>
  breaker._tag === "Probing" ? { _tag: "Open", failures: breaker.failures, sinceMs: nowMs - recoveryMs } : breaker

export const succeeded = (breaker: Breaker): Breaker =>
  breaker._tag === "Closed" && breaker.failures === 0 ? breaker : closed

export const failed = (breaker: Breaker, nowMs: number, limits: BreakerLimits): Breaker => {
  const failures = breaker.failures + 1
  return breaker._tag === "Closed" && failures < limits.threshold
    ? { _tag: "Closed", failures }
    : { _tag: "Open", failures, sinceMs: nowMs }
}
