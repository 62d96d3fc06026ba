/** What every request goes through: its ids, the host it named, its failures told, its line in the access log. */
import { Cause, Context, Effect, type Exit, Layer } from "effect"
import type { HttpServerRequest, HttpServerResponse } from "effect/http"
import { type Failure, HostRefused } from "#domain/Failure"
import { LogSink } from "#services/LogSink"
import { type Span, Tracing } from "#services/Tracing"
import * as Exchange from "./Exchange.ts"
import type { Hosts } from "./Hosts.ts"
import * as Respond from "./Respond.ts"

type Handler<E extends Failure, R> = (
  exchange: Exchange.Exchange
) => Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>

type Tell = (exchange: Exchange.Exchange, failure: Failure) => HttpServerResponse.HttpServerResponse

/** Turns a handler that may fail into one that always answers. */
export class Answer extends Context.Service<
  Answer,
  {
    readonly with: <E extends Failure, R>(
      handle: Handler<E, R>,
      tell: Tell
    ) => (
      request: HttpServerRequest.HttpServerRequest
    ) => Effect.Effect<HttpServerResponse.HttpServerResponse, never, R>
  }
>()("esb/programs/gateway/Answer") {}

/** Who reads the log through these pages must not find himself in it. */
const ownPages = "/_esb/"

export const layer = (options: { readonly hosts: Hosts; readonly accessLog: boolean }) =>
  Layer.effect(
    Answer,
    Effect.gen(function* () {
      const log = yield* LogSink
      const tracing = yield* Tracing

      const record = (exchange: Exchange.Exchange, status: number): void => {
        const latencyMs = (performance.now() - exchange.startedAtMs).toFixed(2)
        const { method, path, requestId, source, traceId } = exchange
        const clientIp = options.hosts.clientAddress(source)
        log.write({
          atUnixMs: Date.now(),
          source: "system",
          level: "INFO",
          message: `${method} ${path} ${status} ${latencyMs} ms ${clientIp}`,
          functionName: undefined,
          containerName: undefined,
          requestId,
          traceId,
          details: {
            method,
            path,
            query_params: Exchange.queryText(exchange),
            status,
            latency_ms: Number(latencyMs),
            user_agent: source.headers["user-agent"],
            client_ip: clientIp
          }
        })
      }

      const end = (
        exchange: Exchange.Exchange,
        span: Span,
        exit: Exit.Exit<HttpServerResponse.HttpServerResponse>
      ): void => {
        const status = exit._tag === "Success" ? exit.value.status : undefined
        span.end({
          error: status === undefined ? "Interrupted" : status >= 500 ? String(status) : undefined,
          requestId: exchange.requestId,
          functionName: undefined,
          attributes: {
            "http.request.method": exchange.method,
            "url.path": exchange.path,
            ...(status === undefined ? {} : { "http.response.status_code": status })
          }
        })
      }

      const broken = (exchange: Exchange.Exchange, cause: Cause.Cause<never>) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.failCause(cause)
          : Effect.logError("a request met a defect", cause).pipe(
              Effect.annotateLogs(Exchange.ids(exchange)),
              Effect.as(Respond.broken(exchange))
            )

      return Answer.of({
        with: (handle, tell) => (request) => {
          const opened = Exchange.open(request, tracing.sampleNew)
          const isOwnPage = opened.path.startsWith(ownPages)
          const span = isOwnPage ? undefined : tracing.begin(opened.traceId, `HTTP ${opened.method}`, "server")
          const exchange = span === undefined ? opened : { ...opened, traceId: span.traceId }
          const { host } = exchange.source.headers
          const answered = options.hosts.allows(host)
            ? handle(exchange).pipe(
                Effect.catch((failure) => Effect.succeed(tell(exchange, failure))),
                Effect.catchCause((cause) => broken(exchange, cause))
              )
            : Effect.succeed(tell(exchange, new HostRefused({ host: host ?? "" })))
          const recorded =
            options.accessLog && !isOwnPage
              ? Effect.tap(answered, (response) => Effect.sync(() => record(exchange, response.status)))
              : answered
          return span === undefined
            ? recorded
            : Effect.onExit(recorded, (exit) => Effect.sync(() => end(exchange, span, exit)))
        }
      })
    })
  )
