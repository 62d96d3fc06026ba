import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { FunctionName } from "#domain/FunctionName"
import * as ProxyEvent from "#domain/ProxyEvent"
import { table } from "#domain/Route"
import { needs, pathOf } from "#test/support/Engines"

const routes = table(
  ["/{proxy+}", "/hardcoded", "/orders/{id}"].map((path) => ({
    method: "ANY",
    path,
    functionName: "hello" as FunctionName,
    authorization: undefined
  }))
)

const bytes = (text: string) => new TextEncoder().encode(text)

const request = (target: string, parts: Partial<ProxyEvent.ProxyRequest> = {}): ProxyEvent.ProxyRequest => {
  const match = routes.match("GET", target.split("?")[0] ?? "")
  assert(match !== undefined, `no route for ${target}`)
  return {
    method: "GET",
    target,
    rawHeaders: ["Host", "localhost:8000"],
    body: new Uint8Array(),
    match,
    requestId: "8bb1d1e5-1d2b-4b6a-9a3e-0d3a1f1f0c11",
    sourceIp: "127.0.0.1",
    principal: undefined,
    ...parts
  }
}

const eventOf = (parts: ProxyEvent.ProxyRequest): Record<string, unknown> =>
  JSON.parse(new TextDecoder().decode(Result.getOrThrow(ProxyEvent.encode(parts))))

describe("ProxyEvent", () => {
  it("tells a bare request without a single null", () => {
    assert.deepStrictEqual(eventOf(request("/hardcoded")), {
      resource: "/hardcoded",
      path: "/hardcoded",
      httpMethod: "GET",
      headers: { host: "localhost:8000" },
      multiValueHeaders: { host: ["localhost:8000"] },
      requestContext: {
        resourcePath: "/hardcoded",
        httpMethod: "GET",
        path: "/hardcoded",
        protocol: "HTTP/1.1",
        stage: "prod",
        requestId: "8bb1d1e5-1d2b-4b6a-9a3e-0d3a1f1f0c11",
        identity: { sourceIp: "127.0.0.1" }
      },
      isBase64Encoded: false
    })
  })

  it("tells the last value of a name and all of them, header names in lower case", () => {
    const event = eventOf(
      request("/orders/7?a=1&b=2&a=3&c", {
        rawHeaders: ["X-A", "1", "x-a", "2", "User-Agent", "curl"],
        principal: "test-admin"
      })
    )
    assert.deepStrictEqual(event["headers"], { "x-a": "2", "user-agent": "curl" })
    assert.deepStrictEqual(event["multiValueHeaders"], { "x-a": ["1", "2"], "user-agent": ["curl"] })
    assert.deepStrictEqual(event["queryStringParameters"], { a: "3", b: "2", c: "" })
    assert.deepStrictEqual(event["multiValueQueryStringParameters"], { a: ["1", "3"], b: ["2"], c: [""] })
    assert.deepStrictEqual(event["pathParameters"], { id: "7" })
    assert.deepInclude(event["requestContext"] as object, {
      identity: { sourceIp: "127.0.0.1", userAgent: "curl" },
      authorizer: {
        claims: { "cognito:username": "test-admin", username: "test-admin" },
        "cognito:username": "test-admin"
      }
    })
  })

  it("leaves out a query without parameters", () => {
    for (const target of ["/hardcoded?", "/hardcoded?&"]) {
      assert.notProperty(eventOf(request(target)), "queryStringParameters")
    }
  })

  it("keeps text as text and packs everything else into base64", () => {
    const body = (content: Uint8Array, rawHeaders: ReadonlyArray<string> = []) => {
      const event = eventOf(request("/hardcoded", { body: content, rawHeaders }))
      return [event["body"], event["isBase64Encoded"]]
    }
    assert.deepStrictEqual(body(bytes(`{"ä":"\u2028"}`)), [`{"ä":"\u2028"}`, false])
    assert.deepStrictEqual(body(bytes("\ufeffa")), ["\ufeffa", false])
    assert.deepStrictEqual(body(Uint8Array.of(0xff, 0x00)), ["/wA=", true])
    assert.deepStrictEqual(body(bytes("zipped"), ["Content-Encoding", "GZIP"]), ["emlwcGVk", true])
    assert.deepStrictEqual(body(new Uint8Array(), ["Content-Encoding", "gzip"]), [undefined, false])
  })

  it("refuses a body that grows past the limit when it is written down", () => {
    const refused = ProxyEvent.encode(request("/hardcoded", { body: new Uint8Array(5_000_000).fill(0xff) }))
    assert.strictEqual(Result.getOrThrow(Result.flip(refused))._tag, "PayloadTooLarge")
  })

  it("takes any name for a name", () => {
    const event = eventOf(request("/hardcoded?__proto__=1&%22=2", { rawHeaders: ["__proto__", `"`] }))
    assert.deepStrictEqual(Object.entries(event["headers"] as object), [["__proto__", `"`]])
    assert.deepStrictEqual(Object.entries(event["queryStringParameters"] as object), [
      ["__proto__", "1"],
      [`"`, "2"]
    ])
  })

  const text = Arbitrary.schema(Schema.String)
  it.prop("is JSON, and carries the body unharmed", { body: Schema.Uint8Array, name: text, value: text }, (given) => {
    const event = eventOf(request("/hardcoded", { body: given.body, rawHeaders: [given.name, given.value] }))
    const carried = (event["body"] ?? "") as string
    assert.deepStrictEqual(
      [...Buffer.from(carried, event["isBase64Encoded"] === true ? "base64" : "utf8")],
      [...given.body]
    )
    assert.deepStrictEqual(Object.values(event["headers"] as object), [given.value])
  })
})

interface Recorded {
  readonly path: string
  readonly httpMethod: string
  readonly resource: string
  readonly headers: Readonly<Record<string, string>>
  readonly multiValueHeaders: Readonly<Record<string, ReadonlyArray<string> | string>>
  readonly queryStringParameters: unknown
  readonly multiValueQueryStringParameters: unknown
  readonly pathParameters: unknown
  readonly body: unknown
  readonly isBase64Encoded: boolean
}

/** What was asked of AWS when the answer of this name was recorded. */
const targets: Readonly<Record<string, string>> = {
  "invocation-payload-without-trailing-slash": "/proxy-value",
  "invocation-payload-with-trailing-slash": "/proxy-value/",
  "invocation-payload-with-double-slash": "/proxy-value//double-slash",
  "invocation-payload-with-prepended-slash": "//proxy-value",
  "invocation-payload-without-trailing-slash-and-query-params": "/proxy-value?urlparam=test",
  "invocation-payload-with-trailing-slash-and-query-params": "/proxy-value/?urlparam=test",
  "invocation-payload-with-path-encoded-email":
    "/proxy-value/api/user/test%2Balias@gmail.com/plus/test+alias@gmail.com",
  "invocation-payload-with-params-encoding":
    "/proxy-value/api?dateTimeOffset=2023-06-12T18:05:10.123456+00:00&email=test%2Balias@gmail.com" +
    "&plus=test+alias@gmail.com&url=https://www.google.com/&whitespace=foo%20bar&zhash=abort/",
  "invocation-payload-with-params-encoding-multi":
    "/proxy-value?category=electronics&category=books&price=10&price=20&price=30",
  "invocation-hardcoded": "//hardcoded"
}

describe("ProxyEvent and the events AWS was recorded to send", needs("golden"), () => {
  const recordings = (): Readonly<Record<string, Recorded>> => {
    const path = join(pathOf("golden"), "aws-recordings/apigateway__test_apigateway_lambda.snapshot.json")
    const tests = JSON.parse(readFileSync(path, "utf8"))
    return tests["tests/aws/services/apigateway/test_apigateway_lambda.py::test_lambda_aws_proxy_integration"][
      "recorded-content"
    ]
  }

  for (const [name, target] of Object.entries(targets)) {
    it(`agrees with ${name}`, () => {
      const recorded = recordings()[name]
      assert(recorded !== undefined)
      // The recorder parsed the body; its text came from Python, which writes a space after a colon.
      const body = recorded.body === null ? "" : JSON.stringify(recorded.body).replace(":", ": ")
      const rawHeaders = Object.entries(recorded.headers).flat()
      const event = eventOf(request(target, { method: recorded.httpMethod, rawHeaders, body: bytes(body) }))
      const lower = (names: object) =>
        Object.fromEntries(Object.entries(names).map(([key, value]) => [key.toLowerCase(), value]))
      assert.strictEqual(event["resource"], recorded.resource)
      assert.strictEqual(event["path"], recorded.path)
      assert.strictEqual(event["httpMethod"], recorded.httpMethod)
      assert.deepStrictEqual(event["headers"], lower(recorded.headers))
      assert.deepStrictEqual(
        Object.keys(event["multiValueHeaders"] as object),
        Object.keys(lower(recorded.multiValueHeaders))
      )
      // What AWS says with null is left out here.
      assert.deepStrictEqual(event["pathParameters"] ?? null, recorded.pathParameters)
      assert.deepStrictEqual(event["queryStringParameters"] ?? null, recorded.queryStringParameters)
      assert.deepStrictEqual(event["multiValueQueryStringParameters"] ?? null, recorded.multiValueQueryStringParameters)
      assert.strictEqual(event["body"] ?? "", body)
      assert.strictEqual(event["isBase64Encoded"], recorded.isBase64Encoded)
    })
  }
})
