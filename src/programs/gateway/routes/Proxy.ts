/** Every path that is nobody else's: a route of the stack, called with an API Gateway event. */
import { Effect } from "effect"
import { HttpRouter, HttpServerError, HttpServerRequest } from "effect/http"
import { RouteNotFound, type Unauthorized } from "#domain/Failure"
import * as FunctionArn from "#domain/FunctionArn"
import { limits } from "#domain/Invocation"
import * as ProxyEvent from "#domain/ProxyEvent"
import * as ProxyResponse from "#domain/ProxyResponse"
import { type Route, type RouteAuthentication, wantsToken } from "#domain/Route"
import { Authenticator, type Principal } from "#services/Authenticator"
import { FunctionCatalog } from "#services/FunctionCatalog"
import { Answer } from "../Answer.ts"
import * as Exchange from "../Exchange.ts"
import type { Hosts } from "../Hosts.ts"
import { Invoker } from "../Invoke.ts"
import * as Respond from "../Respond.ts"

/** The router found nothing: the path decodes to nothing, or the method is none of those it is told of. */
const isUnplaced = (error: unknown): boolean =>
  HttpServerError.isHttpServerError(error) && error.reason._tag === "RouteNotFound"

export const layer = (options: {
  readonly authentication: RouteAuthentication
  readonly hosts: Hosts
  readonly region: string
}) =>
  HttpRouter.use((router) =>
    Effect.gen(function* () {
      const answer = yield* Answer
      const authenticator = yield* Authenticator
      const catalog = yield* FunctionCatalog
      const invoker = yield* Invoker

      const authenticate = (
        exchange: Exchange.Exchange,
        route: Route | undefined
      ): Effect.Effect<Principal | void, Unauthorized> =>
        wantsToken(route, options.authentication)
          ? authenticator.bearer(Exchange.header(exchange, "authorization"))
          : Effect.void

      const handle = Effect.fnUntraced(function* (exchange: Exchange.Exchange) {
        const match = catalog.current().routes.match(exchange.method, exchange.path)
        // A stranger is not told which paths exist.
        const principal = yield* authenticate(exchange, match?.route)
        if (match === undefined) {
          return yield* new RouteNotFound({ method: exchange.method, path: exchange.path })
        }
        const spec = yield* catalog.find(match.route.functionName, undefined)
        const body = yield* Exchange.body(exchange, limits.requestBytes)
        const payload = yield* Effect.fromResult(
          ProxyEvent.encode({
            method: exchange.method,
            target: exchange.target,
            rawHeaders: exchange.source.rawHeaders,
            body,
            match,
            requestId: exchange.requestId,
            sourceIp: options.hosts.clientAddress(exchange.source),
            principal: principal === undefined ? undefined : principal.name
          })
        )
        const result = yield* invoker.invoke(spec, {
          requestId: exchange.requestId,
          functionName: spec.name,
          traceId: exchange.traceId,
          invokedArn: FunctionArn.of(options.region, spec.name),
          payload,
          clientContext: undefined,
          wantsLogTail: false
        })
        const response = ProxyResponse.decode(result)
        // What a function that failed has to say is in its own lines.
        if (response.objection !== undefined && result.errorType === undefined) {
          yield* Effect.logWarning(`${spec.name}: ${response.objection}`).pipe(
            Effect.annotateLogs(Exchange.ids(exchange))
          )
        }
        return Respond.routed(exchange, response)
      })

      const answered = answer.with(handle, Respond.failed)
      // The router takes HEAD for GET by itself, and OPTIONS belongs to the preflight.
      for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH"] as const) {
        yield* router.add(method, "/*", answered)
      }
      const unplaced = Effect.interruptible(Effect.flatMap(HttpServerRequest.HttpServerRequest, answered))
      yield* router.addGlobalMiddleware((placed) => Effect.catchIf(placed, isUnplaced, () => unplaced, Effect.fail))
    })
  )
