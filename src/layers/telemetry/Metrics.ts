/**
 * The figures of a program, in Prometheus's text format, on a port of their own: what the program has counted, what the process
 * uses, and what the program knows when it is asked; and on `/health`, whether it takes calls. A port that cannot be had is told
 * in the log, and the program runs on.
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
import { Clock, Context, Effect, Fiber, FiberSet, Layer, Metric } from "effect"
import { PrometheusMetrics } from "effect/observability"
import * as ProcessFigures from "./ProcessFigures.ts"
import * as ScrapeServer from "./ScrapeServer.ts"

/** Where the figures are. */
export class Metrics extends Context.Service<
  Metrics,
  {
    /** `undefined`: it could not be had. */
    readonly port: number | undefined
    /** Whom `/health` asks from now on; before, it says that no calls are taken. */
    readonly tellHealth: (isServing: Effect.Effect<boolean>) => void
  }
>()("esb/layers/telemetry/Metrics") {}

export interface Options<E, R> {
  readonly host: string
  readonly port: number
  /**
   * Sets metrics anew for each answer: what it does not set this time is not told. Their names must be its own: no name is both
   * set here and counted by the program. A failure is logged, and what was set before it is told.
   */
  readonly figures: Effect.Effect<void, E, R>
}

const contentType = "text/plain; version=0.0.4; charset=utf-8"

/** Collectors give up after ten seconds, unless told otherwise. An answer without some figures is better than none. */
const figuresLimit = "5 seconds"

/** Who asks again within this time, a second, is told the same: workers are not measured more often. */
const figuresLifeNanos = 1_000_000_000n

const complete = Metric.gauge("esb_metrics_complete", {
  description: "Whether all figures could be had in time for this answer: 1 or 0."
})

/** Text of the metrics that an effect sets, and of no others. */
const textOf = <R>(figures: Effect.Effect<void, never, R>): Effect.Effect<string, never, R> =>
  Effect.suspend(() =>
    Effect.provideService(Effect.andThen(figures, PrometheusMetrics.format()), Metric.MetricRegistry, new Map())
  )

/** One collection for all who ask at about the same time; whoever asks and goes does not stop it. */
const shared = (
  collect: Effect.Effect<string>,
  fork: (collect: Effect.Effect<string>) => Fiber.Fiber<string>,
  clock: Clock.Clock
): Effect.Effect<string> => {
  let last: { readonly atNanos: bigint; readonly fiber: Fiber.Fiber<string> } | undefined
  return Effect.suspend(() => {
    const nowNanos = clock.monotonicTimeNanosUnsafe()
    if (last === undefined || nowNanos - last.atNanos >= figuresLifeNanos) {
      last = { atNanos: nowNanos, fiber: fork(collect) }
    }
    return Fiber.join(last.fiber)
  })
}

export const layer = <E, R>(options: Options<E, R>): Layer.Layer<Metrics, never, R> =>
  Layer.effect(
    Metrics,
    Effect.gen(function* () {
      const processFigures = yield* ProcessFigures.make
      const asked = options.figures.pipe(
        Effect.as(1),
        Effect.timeoutOrElse({ duration: figuresLimit, orElse: () => Effect.succeed(0) }),
        Effect.catchCause((cause) => Effect.as(Effect.logWarning("figures could not be had", cause), 0)),
        Effect.flatMap((done) => Metric.update(complete, done))
      )
      const collect = Effect.provideContext(textOf(Effect.andThen(processFigures, asked)), yield* Effect.context<R>())
      const figures = shared(collect, yield* FiberSet.makeRuntime(), yield* Clock.Clock)
      const answer = Effect.zipWith(figures, PrometheusMetrics.format(), (set, counted) => counted + set)
      let isServing: Effect.Effect<boolean> = Effect.succeed(false)
      const health = Effect.suspend(() => isServing)
      const tellHealth = (told: Effect.Effect<boolean>): void => void (isServing = told)

      const served = yield* Effect.result(ScrapeServer.serve({ ...options, contentType, answer, health }))
      if (served._tag === "Failure") {
        yield* Effect.logWarning(`metrics are not served on port ${options.port}: ${served.failure.message}`)
        return { port: undefined, tellHealth }
      }
      return { port: served.success, tellHealth }
    })
  )
