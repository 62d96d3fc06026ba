/** One call of a function, and how it ended. Payloads are bytes from the first line to the last. */
import type { FunctionName } from "./FunctionName.ts"

export interface Invocation {
  /** UUID; the id the caller, the function and the logs see. */
  readonly requestId: string
  readonly functionName: FunctionName
  /** The value of `X-Amzn-Trace-Id`. */
  readonly traceId: string
  readonly invokedArn: string
  readonly payload: Uint8Array
  /** Decoded JSON text of `X-Amz-Client-Context`. */
  readonly clientContext: string | undefined
  /** Whether the caller wants the last 4 KiB of the log. */
  readonly wantsLogTail: boolean
}

/** What the `REPORT` line of a call says. */
export interface Report {
  readonly durationMs: number
  /** Only the first call of a worker has one. */
  readonly initDurationMs: number | undefined
  readonly maxMemoryBytes: number
}

export interface InvocationResult {
  readonly payload: Uint8Array
  readonly contentType: string
  /** The error type (`TypeError`, `Sandbox.Timedout` …) when the function failed; the payload is then AWS's error object. */
  readonly errorType: string | undefined
  readonly report: Report
  /** At most 4 KiB; empty unless the invocation wanted it. */
  readonly logTail: Uint8Array
}

/** Where the bytes of a streamed answer go, as they come. */
export interface AnswerStream {
  /** Called once, before the first byte. */
  readonly begin: (contentType: string) => void
  /** `false`: take a rest until {@link drained}. */
  readonly write: (chunk: Uint8Array) => boolean
  /** Calls back once there is room again. */
  readonly drained: (resume: () => void) => void
}

/** AWS's limits. @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
export const limits = {
  /** Bytes of a synchronous request. */
  requestBytes: 6_291_456,
  /** Bytes of a synchronous response, as AWS's own error text has it. */
  responseBytes: 6_291_556,
  /** Bytes of an asynchronous event. */
  eventBytes: 1_048_576,
  logTailBytes: 4_096,
  /** Bytes of `X-Amz-Client-Context`, still encoded. */
  clientContextBytes: 3_583
} as const

const encoder = new TextEncoder()

/** The body AWS gives for an error that the sandbox, not the function, reports. */
export const errorPayload = (errorType: string, errorMessage: string): Uint8Array =>
  encoder.encode(JSON.stringify({ errorType, errorMessage }))

/** `Task timed out after 3.00 seconds`, as the caller of a synchronous call reads it. */
export const timedOutPayload = (requestId: string, timeoutMs: number): Uint8Array =>
  errorPayload(
    "Sandbox.Timedout",
    `RequestId: ${requestId} Error: Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds`
  )
