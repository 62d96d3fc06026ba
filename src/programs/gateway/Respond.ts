/** How results and failures are told over HTTP: as the Invoke API tells them, and as API Gateway tells them on a route. */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { HttpServerResponse } from "effect/http"
import { type ExceptionName, exceptionStatus, type Failure, isFunctionFault, wire } from "#domain/Failure"
import type { InvocationResult } from "#domain/Invocation"
import type { HttpResult } from "#domain/ProxyResponse"
import { type Exchange, header } from "./Exchange.ts"

type Headers = Record<string, string>

const ids = (exchange: Exchange): Headers => ({
  "x-amzn-requestid": exchange.requestId,
  "x-amzn-trace-id": exchange.traceHeader
})

export const json = (exchange: Exchange, status: number, value: unknown, headers: Headers = {}) =>
  jsonText(exchange, status, JSON.stringify(value), headers)

const jsonText = (exchange: Exchange, status: number, text: string, headers: Headers) =>
  HttpServerResponse.text(text, {
    status,
    contentType: "application/json",
    headers: { ...ids(exchange), ...headers }
  })

export const nothing = (exchange: Exchange, status: number, headers: Headers = {}) =>
  HttpServerResponse.empty({ status, headers: { ...ids(exchange), ...headers } })

/** A call of the Invoke API ran: 200, whether the function did well or not. */
export const invoked = (exchange: Exchange, result: InvocationResult) =>
  ran(exchange, result.payload, result.errorType, result.logTail)

const ran = (exchange: Exchange, payload: Uint8Array, errorType: string | undefined, logTail: Uint8Array) => {
  const headers = ids(exchange)
  headers["x-amz-executed-version"] = "$LATEST"
  headers["x-amzn-remapped-content-length"] = "0"
  if (errorType !== undefined) {
    headers["x-amz-function-error"] = "Unhandled"
  }
  // The log of a failed start is there whether it was asked for or not.
  if (logTail.length > 0 && header(exchange, "x-amz-log-type") === "Tail") {
    headers["x-amz-log-result"] = Buffer.from(logTail).toString("base64")
  }
  return HttpServerResponse.uint8Array(payload, { headers, contentType: "application/json" })
}

/** The event is on disk. */
export const accepted = (exchange: Exchange) => nothing(exchange, 202)

/** The caller may do what it asked whether it may do. */
export const allowed = (exchange: Exchange) => nothing(exchange, 204)

const reasons: Partial<Record<Failure["_tag"], string>> = {
  PoolExhausted: "ReservedFunctionConcurrentInvocationLimitExceeded",
  QueueFull: "FunctionInvocationRateLimitExceeded"
}

const retryAfter = (failure: Failure): Headers =>
  "retryAfterSeconds" in failure
    ? { "retry-after": String(failure.retryAfterSeconds) }
    : failure._tag === "QueueFull"
      ? { "retry-after": "1" }
      : {}

const exception = (exchange: Exchange, name: ExceptionName, failure: Failure) => {
  const status = exceptionStatus[name]
  const spelling = name === "ResourceNotFoundException" ? "Message" : "message"
  const reason = reasons[failure._tag]
  return json(
    exchange,
    status,
    {
      ...(reason === undefined ? {} : { Reason: reason }),
      Type: status >= 500 ? "Service" : "User",
      [spelling]: failure.message
    },
    { "x-amzn-errortype": name, ...retryAfter(failure) }
  )
}

/** A failure of the Invoke API: an exception of its model, or a function error when the function is to blame. */
export const refused = (exchange: Exchange, failure: Failure) =>
  isFunctionFault(failure)
    ? ran(exchange, failure.payload, failure.errorType, failure.logTail)
    : exception(exchange, wire[failure._tag].aws, failure)

/** What is the function's fault is told in API Gateway's words, to the last blank. */
const routeText = (failure: Failure): string => {
  switch (failure._tag) {
    case "InitFailed":
    case "WorkerExited":
      return `{"message": "Internal server error"}`
    case "InvocationTimedOut":
      return `{"message": "Endpoint request timed out"}`
    case "FunctionNotFound":
      return JSON.stringify({ message: `Function not found: ${failure.functionName}` })
    case "PoolExhausted":
      return JSON.stringify({ message: "Too Many Requests" })
    default:
      return JSON.stringify({ message: failure.message })
  }
}

/** A failure on any other path. */
export const failed = (exchange: Exchange, failure: Failure) =>
  jsonText(exchange, wire[failure._tag].http, routeText(failure), retryAfter(failure))

/** What a function answered on its route. Headers with several values are sent one by one. */
export const routed = (exchange: Exchange, result: HttpResult) => {
  const headers = ids(exchange)
  const response = NodeHttpServerRequest.toServerResponse(exchange.request)
  for (const [name, values] of result.headers) {
    const [only] = values
    if (values.length === 1 && only !== undefined) {
      headers[name] = only
    } else {
      // Effect's headers hold one value a name; Node's own list keeps `Set-Cookie` apart.
      response.setHeader(name, [...values])
    }
  }
  return HttpServerResponse.uint8Array(result.body, { status: result.status, headers })
}

/** A defect of ours: the caller learns the request id, the log the rest. */
export const broken = (exchange: Exchange) =>
  json(exchange, 500, { Type: "Service", message: "Internal Server Error" }, { "x-amzn-errortype": "ServiceException" })
