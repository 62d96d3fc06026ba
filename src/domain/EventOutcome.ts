/**
 * What becomes of an accepted event after a run, by AWS's rules of asynchronous invocation.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
 */
import type { ClaimedEvent } from "./AsyncEvent.ts"
import type { AsynchronousPolicy } from "./FunctionSpec.ts"

/** How a run went. */
export type RunOutcome =
  | { readonly _tag: "Succeeded"; readonly payload: Uint8Array }
  /** The function failed: costs an attempt. */
  | { readonly _tag: "FunctionFailed"; readonly payload: Uint8Array; readonly errorType: string }
  /** Throttled, or the platform failed: tried again without using an attempt. */
  | { readonly _tag: "NotRun"; readonly reason: string }
  /** The function may have no worker at all: waiting would not help. */
  | { readonly _tag: "Closed" }
  /** The function is not deployed any more. */
  | { readonly _tag: "FunctionGone" }

/** Why an event was given up, as AWS's records name it. */
export type Condition = "RetriesExhausted" | "EventAgeExceeded" | "ZeroReservedConcurrency" | "FunctionNotFound"

/** Tried again. `cause` says which of the event's counters grows. */
export interface Later {
  readonly _tag: "Later"
  readonly cause: "failure" | "postponement"
  readonly dueAtUnixMs: number
  readonly reason: string
}

export type Decision =
  | { readonly _tag: "Done" }
  | Later
  | { readonly _tag: "GiveUp"; readonly condition: Condition; readonly reason: string }

export interface RetryTimes {
  /** Wait before the first retry of a failed run; doubles with each. AWS waits one minute, then two. */
  readonly retryBaseMs: number
}

/** Postponed events wait 1 s, 2 s, 4 s … at most this long. */
const longestPostponementMs = 300_000

/** A function may be missing for a moment while a deploy is repaired; after this many looks it is gone. */
const looksForMissingFunction = 5

export const decide = (
  event: ClaimedEvent,
  outcome: RunOutcome,
  policy: AsynchronousPolicy,
  times: RetryTimes,
  nowMs: number
): Decision => {
  const unlessTooOld = (cause: "failure" | "postponement", waitMs: number, reason: string): Decision =>
    nowMs + waitMs > event.acceptedAtUnixMs + policy.maxAgeMs
      ? { _tag: "GiveUp", condition: "EventAgeExceeded", reason }
      : { _tag: "Later", cause, dueAtUnixMs: nowMs + waitMs, reason }
  const postpone = (reason: string) =>
    unlessTooOld("postponement", Math.min(longestPostponementMs, 1000 * 2 ** event.postponements), reason)

  switch (outcome._tag) {
    case "Succeeded":
      return { _tag: "Done" }
    case "FunctionFailed":
      return event.failures >= policy.retries
        ? { _tag: "GiveUp", condition: "RetriesExhausted", reason: outcome.errorType }
        : unlessTooOld("failure", times.retryBaseMs * 2 ** event.failures, outcome.errorType)
    case "NotRun":
      return postpone(outcome.reason)
    case "Closed":
      return { _tag: "GiveUp", condition: "ZeroReservedConcurrency", reason: "the function may have no worker" }
    case "FunctionGone":
      return event.postponements >= looksForMissingFunction
        ? { _tag: "GiveUp", condition: "FunctionNotFound", reason: "the function is not deployed any more" }
        : postpone("the function is not deployed")
  }
}
