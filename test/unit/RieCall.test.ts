import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { FunctionName } from "#domain/FunctionName"
import type { Invocation } from "#domain/Invocation"
import * as RieCall from "#domain/RieCall"

const requestId = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
const traceId = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"

const invocation = (asked: Partial<Invocation> = {}): Invocation => ({
  requestId,
  functionName: FunctionName.make("sample"),
  traceId,
  invokedArn: "arn:aws:lambda:us-east-1:000000000000:function:sample",
  payload: new Uint8Array(),
  clientContext: undefined,
  wantsLogTail: false,
  ...asked
})

const context = (clientContext?: string): unknown => JSON.parse(RieCall.clientContext(invocation({ clientContext })))

describe("what an emulator is told of a call", () => {
  it("carries the ids in the client context, beside what the caller put there", () => {
    const ids = { trace_id: traceId, aws_request_id: requestId }
    assert.deepStrictEqual(context(), { custom: ids })
    assert.deepStrictEqual(context('{"client":{"app_title":"shop"}}'), { client: { app_title: "shop" }, custom: ids })
    assert.deepStrictEqual(context('{"custom":{"a":1,"trace_id":"old"}}'), { custom: { a: 1, ...ids } })
  })

  it("leaves a context alone that has no room for them", () => {
    for (const text of ["[1]", "7", "not json", '{"custom":"mine"}', '{"custom":null}']) {
      assert.strictEqual(RieCall.clientContext(invocation({ clientContext: text })), text)
    }
  })

  it("names no trace when there is none", () => {
    const untraced = invocation({ traceId: "" })
    assert.deepStrictEqual(JSON.parse(RieCall.clientContext(untraced)), { custom: { aws_request_id: requestId } })
    assert.notProperty(RieCall.headersOf(untraced), "x-amzn-trace-id")
  })

  it("says nothing in a header that HTTP refuses", () => {
    const headers = RieCall.headersOf(invocation({ traceId: "a\r\nb: c", requestId: "é" }))
    assert.notProperty(headers, "x-amzn-trace-id")
    assert.notProperty(headers, "x-amzn-requestid")
  })

  it.prop(
    "carries every context in ASCII, so that no header changes it",
    { value: Schema.Record(Schema.String, Schema.String) },
    ({ value }) => {
      const { custom: _ours, ...given } = value
      const header = RieCall.headersOf(invocation({ clientContext: JSON.stringify(given) }))["x-amz-client-context"]
      const text = Buffer.from(header ?? "", "base64").toString("latin1")
      assert.notMatch(text, /[\u0080-\uffff]/)
      assert.deepStrictEqual(JSON.parse(text), {
        ...given,
        custom: { trace_id: traceId, aws_request_id: requestId }
      })
    }
  )
})
