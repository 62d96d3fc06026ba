/** Frees the host of what no owner can reach any more: ended workers, leftovers, and the idle workers of owners who are gone. */
import { Duration, Effect, Layer } from "effect"
import { OwnerLeases } from "#layers/grpc/OwnerLeases"
import { ContainerRuntime } from "#services/ContainerRuntime"

/** Often enough for the lease to mean something, and never so often that it is felt. */
const pauseOf = (lease: Duration.Duration): Duration.Duration =>
  Duration.clamp(Duration.times(lease, 0.1), { minimum: Duration.millis(100), maximum: Duration.seconds(30) })

export const layer = (options: { readonly ownerLease: Duration.Duration }) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const runtime = yield* ContainerRuntime
      const leases = yield* OwnerLeases
      const collect = runtime.gc(leases.isGone).pipe(
        Effect.flatMap((count) =>
          count === 0 ? Effect.void : Effect.logInfo(`${count} useless workers were removed`)
        ),
        Effect.catch((failure) => Effect.logWarning(`useless workers could not be removed: ${failure.message}`))
      )
      yield* Effect.sleep(pauseOf(options.ownerLease)).pipe(Effect.andThen(collect), Effect.forever, Effect.forkScoped)
    })
  )
