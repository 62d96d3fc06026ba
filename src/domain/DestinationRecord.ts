/**
 * What a destination function is told about an event that ended.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
 */
import type { ClaimedEvent } from "./AsyncEvent.ts"
import type { Condition, RunOutcome } from "./EventOutcome.ts"

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** A payload is JSON where it can be read as such, else text. */
const readable = (payload: Uint8Array): unknown => {
  const text = decoder.decode(payload)
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const response = (outcome: RunOutcome): object => {
  switch (outcome._tag) {
    case "Succeeded":
      return {
        responseContext: { statusCode: 200, executedVersion: "$LATEST" },
        responsePayload: readable(outcome.payload)
      }
    case "FunctionFailed":
      return {
        responseContext: { statusCode: 200, executedVersion: "$LATEST", functionError: "Unhandled" },
        responsePayload: readable(outcome.payload)
      }
    case "NotRun":
    case "Closed":
    case "FunctionGone":
      return {}
  }
}

export const encode = (
  event: ClaimedEvent,
  functionArn: string,
  condition: Condition | "Success",
  outcome: RunOutcome,
  nowMs: number
): Uint8Array =>
  encoder.encode(
    JSON.stringify({
      version: "1.0",
      timestamp: new Date(nowMs).toISOString(),
      requestContext: {
        requestId: event.id,
        functionArn: `${functionArn}:$LATEST`,
        condition,
        approximateInvokeCount:
          event.failures + (outcome._tag === "Succeeded" || outcome._tag === "FunctionFailed" ? 1 : 0)
      },
      requestPayload: readable(event.payload),
      ...response(outcome)
    })
  )
