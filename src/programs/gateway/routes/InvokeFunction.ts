/**
 * The Lambda Invoke API.
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
 */
import { Clock, Effect } from "effect"
import { HttpRouter } from "effect/http"
import * as ClientContext from "#domain/ClientContext"
import { InvalidParameter, PayloadTooLarge } from "#domain/Failure"
import * as FunctionArn from "#domain/FunctionArn"
import * as FunctionReference from "#domain/FunctionReference"
import type { FunctionSpec } from "#domain/FunctionSpec"
import { type Invocation, limits } from "#domain/Invocation"
import * as JsonPayload from "#domain/JsonPayload"
import { Authenticator } from "#services/Authenticator"
import { FunctionCatalog } from "#services/FunctionCatalog"
import { Answer } from "../Answer.ts"
import { Events } from "../Events.ts"
import * as Exchange from "../Exchange.ts"
import { Invoker } from "../Invoke.ts"
import * as Respond from "../Respond.ts"

const invocationTypes = ["RequestResponse", "Event", "DryRun"] as const
type InvocationType = (typeof invocationTypes)[number]

/** Refuses what `one of` would not allow, in AWS's words. */
const oneOf = <const T extends string>(
  written: string | undefined,
  allowed: ReadonlyArray<T>,
  name: string,
  fallback: T
) => {
  const found = written === undefined ? fallback : allowed.find((word) => word === written)
  return found === undefined
    ? Effect.fail(
        new InvalidParameter({
          name,
          message:
            `1 validation error detected: Value '${written}' at '${name}' failed to satisfy constraint: ` +
            `Member must satisfy enum value set: [${allowed.join(", ")}]`
        })
      )
    : Effect.succeed(found)
}

export const layer = (options: { readonly authentication: "sigv4" | "none"; readonly region: string }) =>
  HttpRouter.use((router) =>
    Effect.gen(function* () {
      const answer = yield* Answer
      const authenticator = yield* Authenticator
      const catalog = yield* FunctionCatalog
      const invoker = yield* Invoker
      const events = yield* Events

      const authenticate = (exchange: Exchange.Exchange, body: Uint8Array) =>
        options.authentication === "none"
          ? Effect.void
          : authenticator.signed({
              method: exchange.method,
              target: exchange.target,
              rawHeaders: exchange.source.rawHeaders,
              body
            })

      const handle = Effect.fnUntraced(function* (exchange: Exchange.Exchange) {
        const body = yield* Exchange.body(exchange, limits.requestBytes)
        yield* authenticate(exchange, body)
        const { name } = yield* HttpRouter.params
        const reference = yield* Effect.fromResult(
          FunctionReference.parse(name ?? "", Exchange.query(exchange, "Qualifier"), options.region)
        )
        const type = yield* oneOf(
          Exchange.header(exchange, "x-amz-invocation-type"),
          invocationTypes,
          "invocationType",
          "RequestResponse"
        )
        const logType = yield* oneOf(Exchange.header(exchange, "x-amz-log-type"), ["None", "Tail"], "logType", "None")
        const spec = yield* catalog.find(reference.name, reference.qualifier)
        const payload = yield* Effect.fromResult(JsonPayload.check(body))
        const clientContext = yield* Effect.fromResult(
          ClientContext.decode(Exchange.header(exchange, "x-amz-client-context"))
        )
        return yield* perform(exchange, type, spec, {
          requestId: exchange.requestId,
          functionName: spec.name,
          traceId: exchange.traceId,
          invokedArn: FunctionArn.of(options.region, spec.name, reference.qualifier),
          payload,
          clientContext,
          wantsLogTail: logType === "Tail"
        })
      })

      const perform = (
        exchange: Exchange.Exchange,
        type: InvocationType,
        spec: FunctionSpec,
        invocation: Invocation
      ) => {
        switch (type) {
          case "RequestResponse":
            return Effect.map(invoker.invoke(spec, invocation), (result) => Respond.invoked(exchange, result))
          case "DryRun":
            return Effect.succeed(Respond.allowed(exchange))
          case "Event":
            return Effect.as(accept(invocation), Respond.accepted(exchange))
        }
      }

      const accept = Effect.fnUntraced(function* (invocation: Invocation) {
        if (invocation.payload.length > limits.eventBytes) {
          return yield* new PayloadTooLarge({ limitBytes: limits.eventBytes })
        }
        return yield* events.accept({
          id: invocation.requestId,
          functionName: invocation.functionName,
          payload: invocation.payload,
          traceId: invocation.traceId,
          clientContext: invocation.clientContext,
          invokedArn: invocation.invokedArn,
          acceptedAtUnixMs: yield* Clock.currentTimeMillis
        })
      })

      yield* router.add("POST", "/2015-03-31/functions/:name/invocations", answer.with(handle, Respond.refused))
    })
  )
