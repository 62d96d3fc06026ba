/** Pages of the Gateway about itself: read only, and most of them only for those with a token. */
import { Effect } from "effect"
import { HttpRouter, type HttpServerResponse } from "effect/http"
import type { Failure } from "#domain/Failure"
import { Authenticator } from "#services/Authenticator"
import { Answer } from "./Answer.ts"
import * as Exchange from "./Exchange.ts"
import * as Respond from "./Respond.ts"

type Page = (exchange: Exchange.Exchange) => Effect.Effect<HttpServerResponse.HttpServerResponse, Failure>

export const make = Effect.gen(function* () {
  const router = yield* HttpRouter.HttpRouter
  const answer = yield* Answer
  const authenticator = yield* Authenticator

  const add = (path: `/${string}`, page: Page) => router.add("GET", path, answer.with(page, Respond.failed))

  return {
    /** A page for anybody. */
    open: add,
    /** A page for those with a token. */
    guarded: (path: `/${string}`, page: Page) =>
      add(path, (exchange) =>
        Effect.andThen(authenticator.bearer(Exchange.header(exchange, "authorization")), page(exchange))
      )
  }
})
