/** CORS preflight, answered for every path without asking a function. */
import { Effect } from "effect"
import { HttpRouter } from "effect/http"
import { Answer } from "../Answer.ts"
import * as Exchange from "../Exchange.ts"
import * as Respond from "../Respond.ts"

const methods = "GET,POST,PUT,DELETE,PATCH,HEAD,OPTIONS"
const headers =
  "Authorization,Content-Type,X-Amz-Date,X-Api-Key,X-Amz-Security-Token,X-Amz-Invocation-Type,X-Amzn-Trace-Id"

export const layer = HttpRouter.use((router) =>
  Effect.gen(function* () {
    const answer = yield* Answer

    const handle = (exchange: Exchange.Exchange) => {
      const origin = Exchange.header(exchange, "origin")
      return Effect.succeed(
        Respond.nothing(exchange, 204, {
          "access-control-allow-origin": origin ?? "*",
          "access-control-allow-methods": methods,
          "access-control-allow-headers": Exchange.header(exchange, "access-control-request-headers") ?? headers,
          "access-control-max-age": "3600",
          ...(origin === undefined ? {} : { vary: "Origin" })
        })
      )
    }

    yield* router.add("OPTIONS", "/*", answer.with(handle, Respond.failed))
  })
)
