import { assert, describe, it } from "@effect/vitest"
import type { ClaimedEvent } from "#domain/AsyncEvent"
import * as DestinationRecord from "#domain/DestinationRecord"
import * as EventOutcome from "#domain/EventOutcome"
import type { FunctionName } from "#domain/FunctionName"
import type { AsynchronousPolicy } from "#domain/FunctionSpec"

const event: ClaimedEvent = {
  id: "e1",
  functionName: "orders" as FunctionName,
  payload: new TextEncoder().encode('{"n":1}'),
  traceId: "Root=1-5759e988-bd862e3fe1be46a994272793",
  clientContext: undefined,
  invokedArn: "arn:aws:lambda:us-east-1:000000000000:function:orders",
  acceptedAtUnixMs: 0,
  failures: 0,
  postponements: 0,
  crashes: 0
}
const policy: AsynchronousPolicy = { retries: 2, maxAgeMs: 6 * 3600_000, onSuccess: undefined, onFailure: undefined }
const failed: EventOutcome.RunOutcome = {
  _tag: "FunctionFailed",
  payload: new TextEncoder().encode('{"errorMessage":"no"}'),
  errorType: "Error"
}
const decide = (changes: Partial<ClaimedEvent>, outcome: EventOutcome.RunOutcome, nowMs = 1000) =>
  EventOutcome.decide({ ...event, ...changes }, outcome, policy, { retryBaseMs: 60_000 }, nowMs)

describe("EventOutcome", () => {
  it("is done with an event whose function did well", () => {
    assert.deepStrictEqual(decide({}, { _tag: "Succeeded", payload: new Uint8Array() }), { _tag: "Done" })
  })

  it("runs a failed event again after one minute, then after two, then gives up", () => {
    const later = (dueAtUnixMs: number): EventOutcome.Decision => ({
      _tag: "Later",
      cause: "failure",
      dueAtUnixMs,
      reason: "Error"
    })
    assert.deepStrictEqual(decide({ failures: 0 }, failed), later(61_000))
    assert.deepStrictEqual(decide({ failures: 1 }, failed), later(121_000))
    assert.deepStrictEqual(decide({ failures: 2 }, failed), {
      _tag: "GiveUp",
      condition: "RetriesExhausted",
      reason: "Error"
    })
  })

  it("uses no attempt for a throttled event and waits longer each time, at most five minutes", () => {
    const waits = [0, 1, 2, 8, 9, 20].map((postponements) => {
      const decision = decide({ postponements }, { _tag: "NotRun", reason: "PoolExhausted" }, 0)
      return decision._tag === "Later" && decision.cause === "postponement" ? decision.dueAtUnixMs : undefined
    })
    assert.deepStrictEqual(waits, [1000, 2000, 4000, 256_000, 300_000, 300_000])
  })

  it("gives up an event that would be too old by its next turn", () => {
    const decision = decide({}, { _tag: "NotRun", reason: "PoolExhausted" }, policy.maxAgeMs)
    assert.deepStrictEqual(decision, { _tag: "GiveUp", condition: "EventAgeExceeded", reason: "PoolExhausted" })
  })

  it("gives up at once where the function may have no worker", () => {
    const decision = decide({}, { _tag: "Closed" })
    assert.strictEqual(decision._tag === "GiveUp" && decision.condition, "ZeroReservedConcurrency")
  })

  it("waits a while for a missing function before it gives its events up", () => {
    assert.strictEqual(decide({ postponements: 4 }, { _tag: "FunctionGone" })._tag, "Later")
    const decision = decide({ postponements: 5 }, { _tag: "FunctionGone" })
    assert.strictEqual(decision._tag === "GiveUp" && decision.condition, "FunctionNotFound")
  })
})

describe("DestinationRecord", () => {
  it("tells a failed event as AWS does", () => {
    const record = DestinationRecord.encode({ ...event, failures: 2 }, event.invokedArn, "RetriesExhausted", failed, 0)
    assert.deepStrictEqual(JSON.parse(new TextDecoder().decode(record)), {
      version: "1.0",
      timestamp: "1970-01-01T00:00:00.000Z",
      requestContext: {
        requestId: "e1",
        functionArn: "arn:aws:lambda:us-east-1:000000000000:function:orders:$LATEST",
        condition: "RetriesExhausted",
        approximateInvokeCount: 3
      },
      requestPayload: { n: 1 },
      responseContext: { statusCode: 200, executedVersion: "$LATEST", functionError: "Unhandled" },
      responsePayload: { errorMessage: "no" }
    })
  })
})
