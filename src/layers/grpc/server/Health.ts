/**
 * `grpc.health.v1`: whether a server and its services take calls.
 * @see https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
import { status } from "@grpc/grpc-js"
import { Effect, Stream, SubscriptionRef } from "effect"
import type { CallHandlers } from "./CallHandler.ts"
import { Health, HealthCheckResponse_ServingStatus } from "../generated/grpc/health/v1/health_pb.ts"
import { Refused } from "./Refused.ts"

const { NOT_SERVING, SERVICE_UNKNOWN, SERVING } = HealthCheckResponse_ServingStatus

export interface ServerHealth {
  readonly handlers: CallHandlers<typeof Health>
  readonly isServing: Effect.Effect<boolean>
  /** NOT_SERVING from now on: the last word of every watch. */
  readonly end: Effect.Effect<void>
}

/** Health of these services; all are served until the end, and not at all after it. Empty is the name of the whole server. */
export const make = Effect.fnUntraced(function* (services: ReadonlyArray<string>) {
  const known = new Set(["", ...services])
  const state = yield* SubscriptionRef.make<typeof SERVING | typeof NOT_SERVING>(SERVING)
  const handlers: CallHandlers<typeof Health> = {
    check: ({ service }) =>
      known.has(service)
        ? Effect.map(SubscriptionRef.get(state), (status) => ({ status }))
        : Effect.fail(new Refused({ status: { code: status.NOT_FOUND, details: `unknown service ${service}` } })),
    watch: ({ service }) => {
      const told = known.has(service) ? SERVING : SERVICE_UNKNOWN
      return SubscriptionRef.changes(state).pipe(
        Stream.takeUntil((now) => now === NOT_SERVING),
        Stream.map((now) => ({ status: now === SERVING ? told : now }))
      )
    }
  }
  const isServing = Effect.map(SubscriptionRef.get(state), (now) => now === SERVING)
  return { handlers, isServing, end: SubscriptionRef.set(state, NOT_SERVING) } satisfies ServerHealth
})
