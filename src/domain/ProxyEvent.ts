/**
 * The event of a routed call, as API Gateway's REST APIs build it (payload format 1.0). Header names are lower case, and
 * what has no value is left out instead of being `null`.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html
 */
import { Result } from "effect"
import * as Base64 from "effect/encoding/Base64"
import { PayloadTooLarge } from "./Failure.ts"
import { limits } from "./Invocation.ts"
import type { RouteMatch } from "./Route.ts"

/** A routed request, as it was received. */
export interface ProxyRequest {
  readonly method: string
  /** The raw request target, with its query. */
  readonly target: string
  /** Name and value in turn, in the order and spelling received. */
  readonly rawHeaders: ReadonlyArray<string>
  readonly body: Uint8Array
  readonly match: RouteMatch
  readonly requestId: string
  readonly sourceIp: string
  /** The user whose token was good; `undefined` on an open route. */
  readonly principal: string | undefined
}

type Values = ReadonlyMap<string, ReadonlyArray<string>>

const encoder = new TextEncoder()

/** Keeps a byte order mark: the body is the caller's. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const quote = (text: string): string => JSON.stringify(text)

const collect = (pairs: Iterable<readonly [name: string, value: string]>): Values => {
  const collected = new Map<string, Array<string>>()
  for (const [name, value] of pairs) {
    const known = collected.get(name)
    if (known === undefined) {
      collected.set(name, [value])
    } else {
      known.push(value)
    }
  }
  return collected
}

function* headerPairs(rawHeaders: ReadonlyArray<string>): Iterable<readonly [string, string]> {
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    yield [(rawHeaders[at] ?? "").toLowerCase(), rawHeaders[at + 1] ?? ""]
  }
}

/** `,"<single>":{…},"<multi>":{…}`, the last value of each name and all of them. Text instead of objects: any name is a name. */
const members = (single: string, multi: string, values: Values): string => {
  let last = ""
  let all = ""
  for (const [name, list] of values) {
    const comma = last === "" ? "" : ","
    const key = quote(name)
    last += `${comma}${key}:${quote(list.at(-1) ?? "")}`
    all += `${comma}${key}:${JSON.stringify(list)}`
  }
  return `,"${single}":{${last}},"${multi}":{${all}}`
}

const queryMembers = (query: string): string => {
  const values = query === "" ? undefined : collect(new URLSearchParams(query))
  return values === undefined || values.size === 0
    ? ""
    : members("queryStringParameters", "multiValueQueryStringParameters", values)
}

const contextMember = (request: ProxyRequest, path: string, headers: Values): string => {
  const userAgent = headers.get("user-agent")?.at(-1)
  const user = request.principal === undefined ? undefined : quote(request.principal)
  return (
    `,"requestContext":{"resourcePath":${quote(request.match.route.path)},"httpMethod":${quote(request.method)}` +
    `,"path":${quote(path)},"protocol":"HTTP/1.1","stage":"prod","requestId":${quote(request.requestId)}` +
    `,"identity":{"sourceIp":${quote(request.sourceIp)}` +
    `${userAgent === undefined ? "" : `,"userAgent":${quote(userAgent)}`}}` +
    (user === undefined
      ? "}"
      : `,"authorizer":{"claims":{"cognito:username":${user},"username":${user}},"cognito:username":${user}}}`)
  )
}

/** Text when it is text; `undefined` when only base64 carries it safely. */
const textOf = (body: Uint8Array, headers: Values): string | undefined => {
  if (headers.get("content-encoding")?.some((encoding) => encoding.toLowerCase().includes("gzip")) === true) {
    return undefined
  }
  try {
    return utf8.decode(body)
  } catch {
    // Not UTF-8, as the decoder says by throwing.
    return undefined
  }
}

const bodyMembers = (body: Uint8Array, headers: Values): string => {
  if (body.length === 0) {
    return `,"isBase64Encoded":false`
  }
  const text = textOf(body, headers)
  return text === undefined
    ? `,"body":"${Base64.encode(body)}","isBase64Encoded":true`
    : `,"body":${quote(text)},"isBase64Encoded":false`
}

/** The bytes of the event. Base64 and escapes may make it larger than a function can be handed: {@link PayloadTooLarge}. */
export const encode = (request: ProxyRequest): Result.Result<Uint8Array, PayloadTooLarge> => {
  const mark = request.target.indexOf("?")
  const path = mark < 0 ? request.target : request.target.slice(0, mark)
  const headers = collect(headerPairs(request.rawHeaders))
  const { pathParameters, route } = request.match
  const parameters = JSON.stringify(pathParameters)
  const event = encoder.encode(
    `{"resource":${quote(route.path)},"path":${quote(path.replace(/^\/{2,}/, "/"))}` +
      `,"httpMethod":${quote(request.method)}` +
      members("headers", "multiValueHeaders", headers) +
      queryMembers(mark < 0 ? "" : request.target.slice(mark + 1)) +
      (parameters === "{}" ? "" : `,"pathParameters":${parameters}`) +
      contextMember(request, path, headers) +
      `${bodyMembers(request.body, headers)}}`
  )
  return event.length > limits.requestBytes
    ? Result.fail(new PayloadTooLarge({ limitBytes: limits.requestBytes }))
    : Result.succeed(event)
}
