/** Keeps the pools in step with the catalog and the clock, and the engine free of what nobody owns. */
import { type Duration, Effect, Layer, Stream } from "effect"
import { FunctionCatalog } from "#services/FunctionCatalog"
import { WorkerPool } from "#services/WorkerPool"

export const layer = (options: {
  /** How often idle workers are looked at; fine enough for the shortest of their limits. */
  readonly tidyEvery: Duration.Duration
  readonly sweepEvery: Duration.Duration
}) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const catalog = yield* FunctionCatalog
      const pool = yield* WorkerPool
      yield* Stream.runForEach(catalog.changes, (snapshot) => pool.reconcile([...snapshot.functions.values()])).pipe(
        Effect.forkScoped
      )
      yield* Effect.sleep(options.tidyEvery).pipe(Effect.andThen(pool.tidy), Effect.forever, Effect.forkScoped)
      yield* Effect.sleep(options.sweepEvery).pipe(Effect.andThen(pool.sweep), Effect.forever, Effect.forkScoped)
    })
  )
