/**
 * What a function answered on its route, as API Gateway's REST APIs read it: an object with `statusCode`, `headers`,
 * `multiValueHeaders`, `body` and `isBase64Encoded`, all of them optional and none besides. Anything else is a 502.
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
 */
import { Result } from "effect"
import * as Base64 from "effect/encoding/Base64"
import type { InvocationResult } from "./Invocation.ts"

/** An HTTP response without what the connection adds: no length, no ids. */
export interface HttpResult {
  readonly status: number
  /** Each name once, in the spelling of the function; values in order. One character of a value is one byte. */
  readonly headers: ReadonlyArray<readonly [name: string, values: ReadonlyArray<string>]>
  readonly body: Uint8Array
  /** Why the caller got a 502 instead of what the function said: for the log, not for the caller. */
  readonly objection: string | undefined
}

type Read<A> = Result.Result<A, string>
type Fields = Readonly<Record<string, unknown>>

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true })

const known = new Set(["statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"])

/** What belongs to one connection is not a function's to say. */
const hopByHop = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade"
])

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const parse = (payload: Uint8Array): Read<Fields> => {
  try {
    const value: unknown = JSON.parse(decoder.decode(payload))
    if (!isObject(value)) {
      return Result.fail("it is not a JSON object")
    }
    const names = Object.keys(value)
    const stranger = names.find((name) => !known.has(name))
    return stranger !== undefined
      ? Result.fail(`it has an unknown key ${JSON.stringify(stranger)}`)
      : names.length === 0
        ? Result.fail("it is empty")
        : Result.succeed(value)
  } catch {
    // The decoder and the parser both tell by throwing.
    return Result.fail("it is not JSON in UTF-8")
  }
}

/** API Gateway takes the text of a number for a number. */
const statusOf = (written: unknown): Read<number> => {
  if (written === undefined || written === null) {
    return Result.succeed(200)
  }
  const status = typeof written === "string" && /^\d{3}$/.test(written) ? Number(written) : written
  return typeof status === "number" && Number.isInteger(status) && status >= 200 && status <= 599
    ? Result.succeed(status)
    : Result.fail(`statusCode is ${JSON.stringify(written)}`)
}

const headerName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** Line ends and other control characters would let a value become a header of its own. */
// oxlint-disable-next-line no-control-regex
const forbidden = /[\0-\x08\x0a-\x1f\x7f]/

/** Text beyond latin1 travels as UTF-8, one character for each byte. */
const onTheWire = (value: string): string =>
  /[^\0-\xff]/.test(value) ? Array.from(encoder.encode(value), (byte) => String.fromCharCode(byte)).join("") : value

const scalar = (value: unknown): string | undefined =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value) : undefined

/** A value that is `null` is no value. */
const valuesOf = (written: unknown): ReadonlyArray<string> | undefined => {
  const list = Array.isArray(written) ? written.filter((value) => value !== null) : written === null ? [] : [written]
  const values = list.map(scalar)
  return values.every((value) => value !== undefined) ? values : undefined
}

interface Header {
  readonly name: string
  readonly values: Array<string>
}

const addHeaders = (
  headers: Map<string, Header>,
  key: "headers" | "multiValueHeaders",
  written: unknown
): string | undefined => {
  if (written === undefined || written === null) {
    return undefined
  }
  if (!isObject(written)) {
    return `${key} is not an object`
  }
  for (const [name, value] of Object.entries(written)) {
    const values =
      Array.isArray(value) === (key === "multiValueHeaders") || value === null ? valuesOf(value) : undefined
    if (!headerName.test(name) || values === undefined || values.some((text) => forbidden.test(text))) {
      return `${key} has a name or value that is none: ${JSON.stringify(name)}`
    }
    const lower = name.toLowerCase()
    if (values.length > 0 && !hopByHop.has(lower)) {
      const header = headers.get(lower) ?? { name, values: [] }
      header.values.push(...values.map(onTheWire).filter((text) => !header.values.includes(text) || key !== "headers"))
      headers.set(lower, header)
    }
  }
  return undefined
}

/** Values of `multiValueHeaders` first, then those of `headers` that are not among them. */
const headersOf = (fields: Fields): Read<HttpResult["headers"]> => {
  const headers = new Map<string, Header>()
  const objection =
    addHeaders(headers, "multiValueHeaders", fields["multiValueHeaders"]) ??
    addHeaders(headers, "headers", fields["headers"])
  if (objection !== undefined) {
    return Result.fail(objection)
  }
  if (!headers.has("content-type")) {
    headers.set("content-type", { name: "Content-Type", values: ["application/json"] })
  }
  return Result.succeed([...headers.values()].map(({ name, values }) => [name, values]))
}

/** Base64 that cannot be decoded is sent as it is. */
const bodyOf = (fields: Fields): Read<Uint8Array> => {
  const { body } = fields
  const text = body === undefined || body === null ? "" : scalar(body)
  if (text === undefined) {
    return Result.fail("body is not text")
  }
  const bytes = fields["isBase64Encoded"] === true ? Base64.decode(text) : Result.fail(undefined)
  return Result.succeed(Result.isSuccess(bytes) ? bytes.success : encoder.encode(text))
}

const read = (payload: Uint8Array): Read<HttpResult> =>
  Result.flatMap(parse(payload), (fields) =>
    Result.flatMap(statusOf(fields["statusCode"]), (status) =>
      Result.flatMap(headersOf(fields), (headers) =>
        Result.map(bodyOf(fields), (body) => ({ status, headers, body, objection: undefined }))
      )
    )
  )

const broken = (objection: string): HttpResult => ({
  status: 502,
  headers: [["Content-Type", ["application/json"]]],
  body: encoder.encode(`{"message": "Internal server error"}`),
  objection
})

/** The response to any method: whoever sends it keeps the body from HEAD, and tells its length all the same. */
export const decode = (result: Pick<InvocationResult, "payload" | "errorType">): HttpResult =>
  result.errorType === undefined
    ? Result.getOrElse(read(result.payload), (reason) => broken(`The answer of the function is no response: ${reason}`))
    : broken(`The function failed: ${result.errorType}`)
