import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as ProxyResponse from "#domain/ProxyResponse"
import { needs, pathOf } from "#test/support/Engines"

const encoder = new TextEncoder()

const answered = (output: unknown) =>
  ProxyResponse.decode({ payload: encoder.encode(JSON.stringify(output)), errorType: undefined })

const textOf = ({ body }: ProxyResponse.HttpResult) => new TextDecoder().decode(body)

/** What the log is told of a refused answer; the caller is told what API Gateway tells. */
const objectionTo = (result: ProxyResponse.HttpResult): string => {
  assert.strictEqual(result.status, 502)
  assert.strictEqual(textOf(result), `{"message": "Internal server error"}`)
  assert.deepStrictEqual(result.headers, [["Content-Type", ["application/json"]]])
  return result.objection ?? ""
}

describe("ProxyResponse", () => {
  it("sends status, headers and body as the function said them", () => {
    const result = answered({
      statusCode: 201,
      headers: { "X-Id": "7", "content-type": "text/plain" },
      body: `{"a": 1}`
    })
    assert.strictEqual(result.status, 201)
    assert.deepStrictEqual(result.headers, [
      ["X-Id", ["7"]],
      ["content-type", ["text/plain"]]
    ])
    assert.strictEqual(textOf(result), `{"a": 1}`)
    assert.isUndefined(result.objection)
  })

  it("takes 200, JSON and an empty body for granted", () => {
    const result = answered({ headers: null })
    assert.strictEqual(result.status, 200)
    assert.deepStrictEqual(result.headers, [["Content-Type", ["application/json"]]])
    assert.strictEqual(textOf(result), "")
  })

  it("sends several values of a header in order, those of headers last", () => {
    const result = answered({
      multiValueHeaders: { "Set-Cookie": ["a=1", "b=2", null], "X-None": [] },
      headers: { "set-cookie": "c=3", "X-Same": 1, "X-Off": true, "X-Null": null }
    })
    assert.deepStrictEqual(result.headers, [
      ["Set-Cookie", ["a=1", "b=2", "c=3"]],
      ["X-Same", ["1"]],
      ["X-Off", ["true"]],
      ["Content-Type", ["application/json"]]
    ])
    assert.deepStrictEqual(answered({ multiValueHeaders: { A: ["1", "1"] }, headers: { a: "1" } }).headers[0], [
      "A",
      ["1", "1"]
    ])
  })

  it("keeps what belongs to the connection to itself", () => {
    const headers = {
      Connection: "close",
      "Content-Length": "9",
      "Keep-Alive": "1",
      "Transfer-Encoding": "chunked",
      Upgrade: "h2c",
      A: "1"
    }
    assert.deepStrictEqual(answered({ headers }).headers, [
      ["A", ["1"]],
      ["Content-Type", ["application/json"]]
    ])
  })

  it("decodes base64 when isBase64Encoded is exactly true and the body is base64", () => {
    const body = Buffer.from([0, 255]).toString("base64")
    assert.deepStrictEqual([...answered({ body, isBase64Encoded: true }).body], [0, 255])
    assert.strictEqual(textOf(answered({ body, isBase64Encoded: "true" })), body)
    assert.strictEqual(textOf(answered({ body })), body)
    assert.strictEqual(textOf(answered({ body: "no base64!", isBase64Encoded: true })), "no base64!")
  })

  it("sends scalars as text and beyond latin1 as UTF-8", () => {
    assert.strictEqual(textOf(answered({ body: 5 })), "5")
    assert.strictEqual(textOf(answered({ body: "日本" })), "日本")
    assert.deepStrictEqual(answered({ headers: { A: "日" } }).headers[0], ["A", [Buffer.from("日").toString("latin1")]])
    assert.deepStrictEqual(answered({ headers: { A: "é" } }).headers[0], ["A", ["é"]])
  })

  it("answers 502 for anything that is no response", () => {
    assert.include(objectionTo(answered("just a string")), "not a JSON object")
    assert.include(objectionTo(answered(null)), "not a JSON object")
    assert.include(objectionTo(answered([1])), "not a JSON object")
    assert.include(objectionTo(answered({})), "empty")
    assert.include(objectionTo(answered({ statusCode: 200, cookies: ["a=1"] })), `unknown key "cookies"`)
    assert.include(objectionTo(answered({ statusCode: "wrong" })), `statusCode is "wrong"`)
    for (const statusCode of [99, 101, 600, 200.5, true, [200]])
      assert.include(objectionTo(answered({ statusCode })), "statusCode is")
    assert.include(objectionTo(answered({ body: { a: 1 } })), "body is not text")
    assert.include(objectionTo(answered({ headers: ["a"] })), "headers is not an object")
    assert.include(objectionTo(answered({ headers: { a: ["1"] } })), `headers has a name or value that is none: "a"`)
    assert.include(objectionTo(answered({ headers: { a: {} } })), "headers has a name or value that is none")
    assert.include(
      objectionTo(answered({ multiValueHeaders: { a: "1" } })),
      "multiValueHeaders has a name or value that is none"
    )
    const raw = (payload: Uint8Array) => ProxyResponse.decode({ payload, errorType: undefined })
    assert.include(objectionTo(raw(encoder.encode("<html>"))), "not JSON in UTF-8")
    assert.include(objectionTo(raw(new Uint8Array())), "not JSON in UTF-8")
    assert.include(objectionTo(raw(Uint8Array.of(0x22, 0xff, 0x22))), "not JSON in UTF-8")
  })

  it("lets no function write a header line of its own", () => {
    for (const value of ["a\r\nX-Evil: 1", "a\nb", "a\0b", "\x7f", "\u2028\n"])
      assert.include(objectionTo(answered({ headers: { A: value } })), `"A"`)
    for (const name of ["", "a b", "a:", "a\r\nb", "é"])
      assert.include(objectionTo(answered({ headers: { [name]: "1" } })), "headers has a name")
    assert.strictEqual(answered({ headers: { A: "tab\tis fine" } }).status, 200)
  })

  it("tells the failure of a function as API Gateway does", () => {
    const payload = encoder.encode(`{"errorType":"Error","errorMessage":"secret"}`)
    assert.include(objectionTo(ProxyResponse.decode({ payload, errorType: "Error" })), "The function failed: Error")
  })

  it.prop(
    "sends back every text it is given",
    { body: Schema.String, status: Schema.Literals([200, 404, 500]) },
    (given) => {
      const result = answered({ statusCode: given.status, body: given.body })
      assert.strictEqual(result.status, given.status)
      assert.deepStrictEqual([...result.body], [...encoder.encode(given.body)])
    }
  )
})

interface Recorded {
  readonly content: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** What the function returned when the answer of this name was recorded, and with which status AWS answered. */
const outputs: Readonly<Record<string, readonly [output: unknown, status: number]>> = {
  "invoke-api-no-body": [{ statusCode: 200 }, 200],
  "invoke-api-with-headers": [{ statusCode: 200, headers: { "test-header": "value", "header-bool": true } }, 200],
  "invoke-api-with-headers-null": [{ statusCode: 200, headers: null }, 200],
  "invoke-api-wrong-format": [{ wrongValue: "value" }, 502],
  "invoke-api-empty-response": [{}, 502],
  "invoke-api-b64-encoded-false": [{ statusCode: 200, body: "dGVzdC1kYXRh" }, 200],
  "invoke-api-multi-headers-valid": [
    { statusCode: 200, multiValueHeaders: { "test-multi": ["value1", "value2"] } },
    200
  ],
  "invoke-api-multi-headers-overwrite": [
    { statusCode: 200, multiValueHeaders: { "test-multi": ["value-multi"] }, headers: { "test-multi": "value-solo" } },
    200
  ],
  "invoke-api-multi-headers-overwrite-casing": [
    { statusCode: 200, multiValueHeaders: { "tesT-Multi": ["value-multi"] }, headers: { "test-multi": "value-solo" } },
    200
  ],
  "invoke-api-multi-headers-invalid": [{ statusCode: 200, multiValueHeaders: { "test-multi-invalid": "value1" } }, 502],
  "invoke-api-invalid-status-code": [{ statusCode: "test" }, 502],
  "invoke-api-status-code-str": [{ statusCode: "201" }, 201],
  "invoke-api-just-string": ["justAString", 502],
  "invoke-api-only-headers": [{ headers: { "test-header": "value" } }, 200]
}

describe("ProxyResponse and the answers AWS was recorded to give", needs("golden"), () => {
  const recordings = (): Readonly<Record<string, Recorded>> => {
    const path = join(pathOf("golden"), "aws-recordings/apigateway__test_apigateway_lambda.snapshot.json")
    const tests = JSON.parse(readFileSync(path, "utf8"))
    return tests[
      "tests/aws/services/apigateway/test_apigateway_lambda.py::test_aws_proxy_response_payload_format_validation"
    ]["recorded-content"]
  }

  for (const [name, [output, status]] of Object.entries(outputs)) {
    it(`agrees with ${name}`, () => {
      const recorded = recordings()[name]
      assert(recorded !== undefined)
      const result = answered(output)
      assert.strictEqual(result.status, status)
      const content = textOf(result)
      assert.deepStrictEqual(typeof recorded.content === "string" ? content : JSON.parse(content), recorded.content)
      for (const [header, values] of result.headers) {
        if (recorded.headers !== undefined) assert.strictEqual(values.join(", "), recorded.headers[header], header)
      }
    })
  }
})
