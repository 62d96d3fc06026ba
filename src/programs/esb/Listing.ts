/** What a running stack tells of itself: workers, routes, events. */
import { Clock, Effect, Schema } from "effect"
import type { StackService } from "#domain/StackService"
import { ContainerStatus, Phase } from "#domain/Worker"
import * as GatewayClient from "./GatewayClient.ts"
import * as RunFile from "./RunFile.ts"
import * as StackServices from "./StackServices.ts"
import { age, table, voice } from "./Voice.ts"

const Workers = Schema.Struct({
  workers: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      name: Schema.String,
      functionName: Schema.String,
      status: ContainerStatus,
      phase: Phase,
      createdAtUnixSeconds: Schema.Finite,
      lastUsedAtUnixSeconds: Schema.Finite
    })
  )
})

/** `esb ps`: what runs in containers is known without the Gateway, which may be what is wrong. */
export const processes = Effect.gen(function* () {
  const { json, result } = yield* voice
  const gateway = yield* GatewayClient.connect
  const { run } = gateway
  if (!RunFile.isInContainers(run)) return yield* workers(gateway, undefined)
  const services = yield* StackServices.list(run)
  if (!json) yield* result(services, () => `${StackServices.told(run, services)}\n`)
  yield* workers(gateway, services).pipe(Effect.tapError(() => (json ? result({ services }, () => "") : Effect.void)))
})

const workers = Effect.fnUntraced(function* (
  gateway: GatewayClient.GatewayClient,
  services: ReadonlyArray<StackService> | undefined
) {
  const { result } = yield* voice
  const { workers: found } = yield* gateway.page("/_esb/workers", Workers)
  const now = yield* Clock.currentTimeMillis
  const since = (unixSeconds: number) => age(now - unixSeconds * 1000)
  yield* result({ ...(services === undefined ? {} : { services }), workers: found }, () =>
    found.length === 0
      ? "No workers: they start with the first call."
      : table(
          ["WORKER", "FUNCTION", "STATUS", "PHASE", "AGE", "LAST USED"],
          found.map((worker) => [
            worker.name,
            worker.functionName,
            worker.status.toLowerCase(),
            worker.phase,
            since(worker.createdAtUnixSeconds),
            since(worker.lastUsedAtUnixSeconds)
          ])
        )
  )
})

const Routes = Schema.Struct({
  routes: Schema.Array(Schema.Struct({ method: Schema.String, path: Schema.String, function: Schema.String }))
})

/** `esb routes` */
export const routes = Effect.gen(function* () {
  const { result } = yield* voice
  const gateway = yield* GatewayClient.connect
  const { routes: found } = yield* gateway.page("/routes", Routes)
  yield* result({ routes: found }, () =>
    found.length === 0
      ? "No routes: the template has no Api event."
      : table(
          ["METHOD", "URL", "FUNCTION"],
          found.map((route) => [route.method, `${gateway.run.gateway}${route.path}`, route.function])
        )
  )
})

const Events = Schema.Struct({
  events: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      functionName: Schema.String,
      state: Schema.Literals(["ready", "running", "failed"]),
      acceptedAtUnixMs: Schema.Finite,
      dueAtUnixMs: Schema.Finite,
      failures: Schema.Int,
      crashes: Schema.Int,
      reason: Schema.optionalKey(Schema.String)
    })
  )
})

/** `esb events` */
export const events = Effect.fnUntraced(function* (limit: number) {
  const { result } = yield* voice
  const gateway = yield* GatewayClient.connect
  const { events: found } = yield* gateway.page(`/_esb/events?limit=${limit}`, Events)
  const now = yield* Clock.currentTimeMillis
  yield* result({ events: found }, () =>
    found.length === 0
      ? "No events: everything that was accepted has run."
      : table(
          ["EVENT", "FUNCTION", "STATE", "ACCEPTED", "DUE IN", "FAILURES", "CRASHES", "REASON"],
          found.map((event) => [
            event.id,
            event.functionName,
            event.state,
            `${age(now - event.acceptedAtUnixMs)} ago`,
            event.state === "ready" ? age(event.dueAtUnixMs - now) : "",
            String(event.failures),
            String(event.crashes),
            event.reason ?? ""
          ])
        )
  )
})
