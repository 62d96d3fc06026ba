/** A call as either door of an Agent has received it. */
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import { InvalidParameter } from "#domain/Failure"
import * as FunctionArn from "#domain/FunctionArn"
import type { Invocation } from "#domain/Invocation"
import * as InvocationHeaders from "#domain/InvocationHeaders"
import type { Worker } from "#domain/Worker"

/** In the ARN of a function whose caller does not say by which it was called. */
const region = "us-east-1"

/** What the caller does not say is filled in; an id that could not stand in a header is refused. */
export const read = Effect.fnUntraced(function* (
  { functionName }: Worker,
  headers: InvocationHeaders.ReceivedHeaders,
  payload: Uint8Array
) {
  const arn = FunctionArn.of(region, functionName)
  const head = InvocationHeaders.toCall(headers, { requestId: randomUUID(), arn })
  if (!InvocationHeaders.isRequestId(head.requestId)) {
    return yield* new InvalidParameter({ name: "headers", message: `headers ${InvocationHeaders.requestIdRule}` })
  }
  return { ...head, functionName, payload } satisfies Invocation
})
