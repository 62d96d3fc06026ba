/** Which owners are still there, as far as an Agent can tell: those who speak to it. */
import { Clock, Context, Effect, Layer } from "effect"
import type { OwnerId } from "#domain/Worker"

/** Owners are few. Beyond this many the one that was silent longest is forgotten. */
const mostOwners = 10_000

export class OwnerLeases extends Context.Service<
  OwnerLeases,
  {
    /** The owner has spoken now. */
    readonly seen: (owner: OwnerId) => void
    /** The owner was silent for longer than the lease. One that has never spoken is counted from the Agent's start. */
    readonly isGone: (owner: OwnerId) => boolean
  }
>()("esb/layers/grpc/OwnerLeases") {}

export interface LeaseOptions {
  /** How long an owner may be silent. */
  readonly leaseMs: number
}

export const layer = ({ leaseMs }: LeaseOptions): Layer.Layer<OwnerLeases> =>
  Layer.effect(
    OwnerLeases,
    Effect.map(Clock.Clock, (clock) => {
      const startedAtMs = clock.currentTimeMillisUnsafe()
      // The owner that was silent longest is first.
      const lastSeenAtMs = new Map<OwnerId, number>()
      return {
        seen: (owner) => {
          lastSeenAtMs.delete(owner)
          lastSeenAtMs.set(owner, clock.currentTimeMillisUnsafe())
          const [silent] = lastSeenAtMs.keys()
          if (lastSeenAtMs.size > mostOwners && silent !== undefined) lastSeenAtMs.delete(silent)
        },
        isGone: (owner) => clock.currentTimeMillisUnsafe() - (lastSeenAtMs.get(owner) ?? startedAtMs) > leaseMs
      }
    })
  )
