/** What the `esb` commands ask a running Gateway: log lines, workers, events. All want a token. */
import { Effect } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { InvalidParameter } from "#domain/Failure"
import type { FunctionName } from "#domain/FunctionName"
import type { OwnerId } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { EventQueue } from "#services/EventQueue"
import { LogSink } from "#services/LogSink"
import * as Exchange from "../Exchange.ts"
import * as Pages from "../Pages.ts"
import * as Respond from "../Respond.ts"

/** Lines, or events, told at once. */
const largestPage = 10_000

/** A whole number of the query, within bounds. */
const whole = Effect.fnUntraced(function* (exchange: Exchange.Exchange, name: string, most: number) {
  const written = Exchange.query(exchange, name)
  if (written === undefined) {
    return undefined
  }
  const value = Number(written)
  if (Number.isSafeInteger(value) && value >= 0 && value <= most) {
    return value
  }
  return yield* new InvalidParameter({
    name,
    message: `${name} must be a whole number from 0 to ${most}, not ${written}`
  })
})

export const layer = (options: { readonly owner: OwnerId }) =>
  HttpRouter.use(() =>
    Effect.gen(function* () {
      const pages = yield* Pages.make
      const log = yield* LogSink
      const runtime = yield* ContainerRuntime
      const queue = yield* EventQueue

      yield* pages.guarded(
        "/_esb/logs",
        Effect.fnUntraced(function* (exchange) {
          const records = yield* log.query({
            functionName: Exchange.query(exchange, "function") as FunctionName | undefined,
            requestId: Exchange.query(exchange, "request"),
            after: yield* whole(exchange, "after", Number.MAX_SAFE_INTEGER),
            sinceUnixMs: yield* whole(exchange, "since", Number.MAX_SAFE_INTEGER),
            limit: (yield* whole(exchange, "limit", largestPage)) ?? 1000
          })
          return HttpServerResponse.text(records.map((record) => `${JSON.stringify(record)}\n`).join(""), {
            contentType: "application/x-ndjson"
          })
        })
      )
      yield* pages.guarded("/_esb/workers", (exchange) =>
        Effect.map(runtime.list(options.owner), (workers) => Respond.json(exchange, 200, { workers }))
      )
      yield* pages.guarded(
        "/_esb/events",
        Effect.fnUntraced(function* (exchange) {
          const limit = (yield* whole(exchange, "limit", largestPage)) ?? 100
          return Respond.json(exchange, 200, { events: yield* queue.list(limit) })
        })
      )
    })
  )
