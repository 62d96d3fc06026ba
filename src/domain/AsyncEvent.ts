/** An event that was accepted with 202 and is owed a run. */
import type { FunctionName } from "./FunctionName.ts"

export interface AsyncEvent {
  /** The request id the caller was given; unique. */
  readonly id: string
  readonly functionName: FunctionName
  readonly payload: Uint8Array
  readonly traceId: string
  readonly clientContext: string | undefined
  readonly invokedArn: string
  readonly acceptedAtUnixMs: number
}

/** An event handed out to be run now. */
export interface ClaimedEvent extends AsyncEvent {
  /** Runs that ended in a failure of the function, before this one. */
  readonly failures: number
  /** Times it could not be run at all: throttled, or the platform failed. */
  readonly postponements: number
  /** Times a Gateway died while it ran. */
  readonly crashes: number
}

/** `failed` events are kept for a person to look at. */
export type EventState = "ready" | "running" | "failed"

/** One line of `esb events`; without the payload. */
export interface EventSummary {
  readonly id: string
  readonly functionName: FunctionName
  readonly state: EventState
  readonly acceptedAtUnixMs: number
  readonly dueAtUnixMs: number
  readonly failures: number
  readonly crashes: number
  readonly reason: string | undefined
}
