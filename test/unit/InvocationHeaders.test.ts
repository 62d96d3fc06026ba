import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import * as InvocationHeaders from "#domain/InvocationHeaders"

/** What HTTP lets through unchanged: printable ASCII that neither begins nor ends with a space. */
const harmless = /^(?:[\u0021-\u007e](?:[\u0020-\u007e]*[\u0021-\u007e])?)?$/

const codes = (maximum: number) => Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum })))

/** Any UTF-16 at all, lone surrogates among it, and much of it where HTTP draws its lines. */
const text = Arbitrary.all([
  Arbitrary.array(codes(160), { maxLength: 20 }),
  Arbitrary.array(codes(65_535), { maxLength: 20 }),
  Arbitrary.array(codes(160), { maxLength: 20 })
]).pipe(Arbitrary.map((parts) => String.fromCharCode(...parts.flat())))

const optional = Arbitrary.schema(Schema.Boolean)

const call = Arbitrary.all({
  requestId: text,
  traceId: text,
  invokedArn: text,
  context: text,
  has: optional,
  wantsLogTail: optional
}).pipe(
  Arbitrary.map(({ context, has, ...rest }): InvocationHeaders.CallHead => ({
    ...rest,
    clientContext: has ? context : undefined
  }))
)

const figure = Arbitrary.schema(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)))

const result = Arbitrary.all({
  contentType: text,
  type: text,
  failed: optional,
  logTail: Arbitrary.schema(Schema.Uint8Array),
  durationMs: figure,
  initDurationMs: figure,
  isFirst: optional,
  maxMemoryBytes: figure
}).pipe(
  Arbitrary.map(
    ({
      contentType,
      durationMs,
      failed,
      initDurationMs,
      isFirst,
      logTail,
      maxMemoryBytes,
      type
    }): InvocationHeaders.ResultHead => ({
      contentType,
      errorType: failed ? type : undefined,
      logTail,
      report: { durationMs, initDurationMs: isFirst ? initDurationMs : undefined, maxMemoryBytes }
    })
  )
)

const nobody = { requestId: "none", arn: "none" }

/** The same value with every lone surrogate replaced, which no wire carries. */
const wellFormed = <A>(value: A): A =>
  JSON.parse(JSON.stringify(value).replaceAll(/\\ud[89a-f][0-9a-f]{2}/g, "\ufffd")) as A

const listed = (headers: InvocationHeaders.Headers): number =>
  Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0)

describe("InvocationHeaders", () => {
  it.prop("brings every call over as it was", { call }, ({ call }) => {
    const headers = InvocationHeaders.ofCall(call)
    for (const value of Object.values(headers)) assert.match(value, harmless)
    assert.deepStrictEqual(wellFormed(InvocationHeaders.toCall(headers, nobody)), wellFormed(call))
  })

  it.prop("brings the head of every result over as it was", { result }, ({ result }) => {
    const headers = InvocationHeaders.ofResult(result)
    for (const value of Object.values(headers)) assert.match(value, harmless)
    const { logTail, ...told } = InvocationHeaders.toResult(headers)
    const { logTail: sent, ...meant } = result
    assert.deepStrictEqual(wellFormed(told), wellFormed(meant))
    assert.deepStrictEqual([...logTail], [...sent])
  })

  it("leaves readable what HTTP carries, and encodes the rest", () => {
    const encoded = [
      ["text/html; charset=utf-8", "text/html; charset=utf-8"],
      ["Fehler: größer", "Fehler: gr%C3%B6%C3%9Fer"],
      ["a\r\nset-cookie: b", "a%0D%0Aset-cookie: b"],
      [" 100% ", "%20100%25%20"],
      ["lone \ud800", "lone %EF%BF%BD"]
    ]
    for (const [text = "", header = ""] of encoded) {
      assert.strictEqual(InvocationHeaders.ofText(text), header)
      assert.strictEqual(InvocationHeaders.toText(header), text.toWellFormed())
    }
  })

  it("takes a value that is not encoded as it is", () => {
    for (const value of ["100%", "%zz", "%C3%28", "50% off"]) assert.strictEqual(InvocationHeaders.toText(value), value)
  })

  it("fills in what a foreign caller leaves out, and takes the first of several values", () => {
    assert.deepStrictEqual(InvocationHeaders.toCall({}, { requestId: "id", arn: "arn" }), {
      requestId: "id",
      traceId: "",
      invokedArn: "arn",
      clientContext: undefined,
      wantsLogTail: false
    })
    const headers = { "x-amzn-requestid": ["one", "two"], "x-amz-client-context": "not base64!" }
    const { clientContext, requestId } = InvocationHeaders.toCall(headers, nobody)
    assert.deepStrictEqual([requestId, clientContext], ["one", undefined])
  })

  it("tells an error whose type is unknown, and takes figures that are none for zero", () => {
    const headers = { "x-amz-function-error": "Unhandled", "esb-duration-ms": "soon", "x-amz-log-result": "?" }
    assert.deepStrictEqual(InvocationHeaders.toResult(headers), {
      contentType: "application/json",
      errorType: "Unhandled",
      logTail: new Uint8Array(),
      report: { durationMs: 0, initDurationMs: undefined, maxMemoryBytes: 0 }
    })
  })

  it("never makes more than its longest list", () => {
    const endless = "€".repeat(100_000)
    const result = { contentType: endless, errorType: endless, logTail: new Uint8Array(4_096) }
    const report = { durationMs: 1 / 3, initDurationMs: 1 / 3, maxMemoryBytes: 2 ** 53 }
    assert.isBelow(listed(InvocationHeaders.ofResult({ ...result, report })), InvocationHeaders.longestListBytes)
    const call = { requestId: endless, traceId: endless, invokedArn: endless, wantsLogTail: true }
    const longestContext = "x".repeat(2_700)
    const headers = InvocationHeaders.ofCall({ ...call, clientContext: longestContext })
    assert.isBelow(listed(headers), InvocationHeaders.longestListBytes)
  })
})
