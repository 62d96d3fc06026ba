/** What every request goes through: its ids, the host it named, its failures told, its line in the access log. */
import { Cause, Context, Effect, Layer } from "effect"
import type { HttpServerRequest, HttpServerResponse } from "effect/http"
import { type Failure, HostRefused } from "#domain/Failure"
import { LogSink } from "#services/LogSink"
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

      const record = (exchange: Exchange.Exchange, status: number): void => {
        const latencyMs = (performance.now() - exchange.startedAtMs).toFixed(2)
        log.write({
          atUnixMs: Date.now(),
          source: "system",
          level: "INFO",
          message: `${exchange.method} ${exchange.path} ${status} ${latencyMs} ms ${options.hosts.clientAddress(exchange.source)}`,
          functionName: undefined,
          containerName: undefined,
          requestId: exchange.requestId,
          traceId: exchange.traceId
        })
      }

      const broken = (exchange: Exchange.Exchange, cause: Cause.Cause<never>) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.failCause(cause)
          : Effect.logError("a request met a defect", cause).pipe(
              Effect.annotateLogs({ requestId: exchange.requestId }),
              Effect.as(Respond.broken(exchange))
            )

      return Answer.of({
        with: (handle, tell) => (request) => {
          const exchange = Exchange.open(request)
          const { host } = exchange.source.headers
          const answered = options.hosts.allows(host)
            ? handle(exchange).pipe(
                Effect.catch((failure) => Effect.succeed(tell(exchange, failure))),
                Effect.catchCause((cause) => broken(exchange, cause))
              )
            : Effect.succeed(tell(exchange, new HostRefused({ host: host ?? "" })))
          return options.accessLog && !exchange.path.startsWith(ownPages)
            ? Effect.tap(answered, (response) => Effect.sync(() => record(exchange, response.status)))
            : answered
        }
      })
    })
  )
