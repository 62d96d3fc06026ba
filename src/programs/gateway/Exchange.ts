/** One HTTP request as the Gateway sees it: as received, with the ids everybody will know it by. */
import type { IncomingMessage } from "node:http"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { ByteSize, Effect } from "effect"
import { HttpIncomingMessage, type HttpServerRequest } from "effect/http"
import { InvalidParameter, PayloadTooLarge } from "#domain/Failure"
import * as TraceContext from "#domain/TraceContext"

export interface Exchange {
  readonly request: HttpServerRequest.HttpServerRequest
  readonly source: IncomingMessage
  readonly method: string
  /** The raw request target, with its query. */
  readonly target: string
  /** The target up to its query. */
  readonly path: string
  readonly requestId: string
  /** `Root=…;Parent=…;Sampled=…`: what functions and logs are told. */
  readonly traceId: string
  /** What the caller is told back: his own words, or ours when he had none. */
  readonly traceHeader: string
  readonly startedAtMs: number
}

/** @param sampled what a trace says that begins here */
export const open = (request: HttpServerRequest.HttpServerRequest, sampled: () => "0" | "1"): Exchange => {
  const source = NodeHttpServerRequest.toIncomingMessage(request) as IncomingMessage
  const target = source.url ?? "/"
  const query = target.indexOf("?")
  const told = source.headers["x-amzn-trace-id"]
  const trace = typeof told === "string" ? TraceContext.parse(told) : undefined
  const traceId = TraceContext.format(trace ?? TraceContext.generate(sampled()))
  return {
    request,
    source,
    method: source.method ?? "GET",
    target,
    path: query === -1 ? target : target.slice(0, query),
    requestId: crypto.randomUUID(),
    traceId,
    traceHeader: trace === undefined ? traceId : String(told),
    startedAtMs: performance.now()
  }
}

/** One header; the last one wins where it was sent several times. */
export const header = (exchange: Exchange, name: string): string | undefined => {
  const value = exchange.source.headers[name]
  return typeof value === "string" ? value : value?.at(-1)
}

/** The whole body. Fails before it is read when it is announced larger, and while it is read when it turns out larger. */
export const body = (
  exchange: Exchange,
  limitBytes: number
): Effect.Effect<Uint8Array, PayloadTooLarge | InvalidParameter> =>
  Number(exchange.source.headers["content-length"] ?? 0) > limitBytes
    ? Effect.fail(new PayloadTooLarge({ limitBytes }))
    : exchange.request.arrayBuffer.pipe(
        Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(limitBytes)),
        Effect.map((buffer) => new Uint8Array(buffer)),
        Effect.mapError((error) =>
          error.reason._tag === "RequestParseError" && error.reason.reason === "BodyTooLarge"
            ? new PayloadTooLarge({ limitBytes })
            : new InvalidParameter({ name: "body", message: "The body of the request could not be read" })
        )
      )

/** The query as it was sent; `undefined` where there is none. */
export const queryText = ({ path, target }: Pick<Exchange, "path" | "target">): string | undefined =>
  target.length > path.length ? target.slice(path.length + 1) : undefined

/** One value of the query; `undefined` when it is absent. */
export const query = (exchange: Exchange, name: string): string | undefined => {
  const start = exchange.target.indexOf("?")
  return start === -1 ? undefined : (new URLSearchParams(exchange.target.slice(start + 1)).get(name) ?? undefined)
}

/** What a line of the log is annotated with that is written for this request. */
export const ids = ({ requestId, traceId }: Pick<Exchange, "requestId" | "traceId">) => ({ requestId, traceId })
