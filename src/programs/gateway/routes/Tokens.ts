/** The endpoint where a user gets a token for the routes. */
import { Effect, Redacted, Schema } from "effect"
import { HttpRouter } from "effect/http"
import { InvalidParameter, Unauthorized } from "#domain/Failure"
import { sameText } from "#layers/auth/SameText"
import { Authenticator } from "#services/Authenticator"
import { Answer } from "../Answer.ts"
import * as Exchange from "../Exchange.ts"
import * as Respond from "../Respond.ts"

const Credentials = Schema.fromJsonString(
  Schema.Struct({
    AuthParameters: Schema.Struct({ USERNAME: Schema.String, PASSWORD: Schema.RedactedFromValue(Schema.String) })
  })
)
const decode = Schema.decodeUnknownEffect(Credentials)

/** Bytes of the largest request read here. */
const bodyLimit = 16_384

/** Told where the API key was right, whatever comes of the password. */
const keyWasRight = { padma_user_authorized: "true" }

export const layer = (options: { readonly path: `/${string}`; readonly apiKey: Redacted.Redacted }) =>
  HttpRouter.use((router) =>
    Effect.gen(function* () {
      const answer = yield* Answer
      const authenticator = yield* Authenticator

      const handle = Effect.fnUntraced(function* (exchange: Exchange.Exchange) {
        const body = yield* Exchange.body(exchange, bodyLimit)
        const credentials = yield* decode(new TextDecoder().decode(body)).pipe(
          Effect.mapError((error) => new InvalidParameter({ name: "body", message: error.message }))
        )
        if (!sameText(Exchange.header(exchange, "x-api-key") ?? "", Redacted.value(options.apiKey))) {
          return yield* new Unauthorized({ detail: "x-api-key" })
        }
        const { PASSWORD, USERNAME } = credentials.AuthParameters
        return yield* authenticator.issue(USERNAME, PASSWORD).pipe(
          Effect.map((token) =>
            Respond.json(exchange, 200, { AuthenticationResult: { IdToken: Redacted.value(token) } }, keyWasRight)
          ),
          Effect.catchTag("Unauthorized", (failure) =>
            Effect.succeed(Respond.json(exchange, 401, { message: failure.message }, keyWasRight))
          )
        )
      })

      yield* router.add(
        "POST",
        options.path,
        answer.with(handle, (exchange, failure) =>
          failure._tag === "InvalidParameter"
            ? Respond.json(exchange, 422, { message: "Validation Error", detail: failure.message })
            : Respond.failed(exchange, failure)
        )
      )
    })
  )
