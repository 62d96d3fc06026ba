/**
 * Networks that are ready before anybody asks, so that a cold start does not wait for plugins. Never more than the settings say;
 * refilled in the background; what nobody has taken goes with the scope.
 */
import { Effect, Option, Queue, Semaphore } from "effect"
import type { NetworkUnavailable, WorkerNetwork } from "#services/Cni"
import type { CniSettings } from "./CniSettings.ts"

/** Networks that are prepared at a time: on two processors more only delay those who wait. */
const parallelPreparations = 2

interface Maker {
  readonly make: Effect.Effect<WorkerNetwork, NetworkUnavailable>
  readonly remove: (name: string) => Effect.Effect<void, NetworkUnavailable>
  /** Whether a prepared one still is: somebody may have removed its namespace. */
  readonly isThere: (name: string) => Effect.Effect<boolean>
}

export const make = Effect.fnUntraced(function* (settings: CniSettings, { isThere, make, remove }: Maker) {
  const ready = yield* Queue.unbounded<WorkerNetwork>()
  const room = Semaphore.makeUnsafe(settings.prepared)

  // What cannot be removed now is told, keeps its record, and is removed at the next start.
  const discard = ({ name }: WorkerNetwork) => Effect.ignore(remove(name), { log: "Warn" })
  yield* Effect.addFinalizer(() =>
    Effect.flatMap(Queue.clear(ready), (left) =>
      Effect.forEach(left, discard, { concurrency: settings.parallel, discard: true })
    )
  )

  const { first, last } = settings.prepareAgainMs
  const prepare = Effect.gen(function* () {
    let delayMs = 0
    while (true) {
      if (delayMs > 0) yield* Effect.sleep(delayMs)
      yield* room.take(1)
      if ((yield* Queue.size(ready)) > 0) yield* Effect.sleep(settings.replaceAfterMs)
      const prepared = yield* Effect.uninterruptible(
        make.pipe(
          Effect.flatMap((network) => Queue.offer(ready, network)),
          Effect.as(true),
          // Who asks for a network hears of it as well; here it is told once for each series of failures.
          Effect.catch(({ message }) =>
            Effect.as(Effect.andThen(room.release(1), delayMs > 0 ? Effect.void : Effect.logWarning(message)), false)
          )
        )
      )
      delayMs = prepared ? 0 : Math.min(last, Math.max(first, delayMs * 2))
    }
  })
  if (settings.prepared > 0) {
    for (let index = 0; index < parallelPreparations; index++) yield* Effect.forkScoped(prepare)
  }

  /** A prepared one, or one that is made now. */
  const take: Effect.Effect<WorkerNetwork, NetworkUnavailable> = Effect.gen(function* () {
    while (true) {
      const prepared = yield* Queue.poll(ready)
      if (Option.isNone(prepared)) return yield* make
      yield* room.release(1)
      if (yield* isThere(prepared.value.name)) return prepared.value
      yield* discard(prepared.value)
    }
  })
  return {
    /** Whoever is interrupted meanwhile cannot give it back: it is discarded. */
    take: Effect.uninterruptibleMask((restore) =>
      Effect.tap(take, (network) => Effect.onInterrupt(restore(Effect.void), () => discard(network)))
    )
  }
})
