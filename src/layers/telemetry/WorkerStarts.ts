/** A `ContainerRuntime` that counts its starts, and remembers for whom it works: an engine lists workers by owner only. */
import { Clock, Effect, Exit, Metric } from "effect"
import type { OwnerId, WorkerSpec } from "#domain/Worker"
import type { ContainerRuntime } from "#services/ContainerRuntime"
import type { FunctionLabel } from "./FunctionLabel.ts"

const starts = Metric.counter("esb_worker_starts_total", {
  description: "Starts of workers that have ended, well or badly.",
  incremental: true
})
const seconds = Metric.histogram("esb_worker_start_seconds", {
  description: "Seconds that the engine took to start a worker, not counting the worker's own initialisation.",
  boundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
})

/** Beyond so many owners the one that was silent longest is forgotten. */
const mostOwners = 1_000

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): "started" | "failed" | "cancelled" => {
  if (Exit.isSuccess(exit)) {
    return "started"
  }
  return exit.cause.reasons.some(({ _tag }) => _tag === "Fail") ? "failed" : "cancelled"
}

export const counted = Effect.fnUntraced(function* (runtime: ContainerRuntime["Service"], label: FunctionLabel) {
  const clock = yield* Clock.Clock
  const context = yield* Effect.context<never>()
  const owners = new Set<OwnerId>()

  const seen = (owner: OwnerId): void => {
    owners.delete(owner)
    owners.add(owner)
    const [silent] = owners
    if (owners.size > mostOwners && silent !== undefined) {
      owners.delete(silent)
    }
  }

  const ensure = (spec: WorkerSpec, owner: OwnerId) =>
    Effect.suspend(() => {
      seen(owner)
      const beganAtNanos = clock.monotonicTimeNanosUnsafe()
      return Effect.onExit(runtime.ensure(spec, owner), (exit) =>
        Effect.sync(() => {
          const outcome = outcomeOf(exit)
          const name = label(spec.functionName)
          Metric.withAttributes(starts, { function: name, outcome }).updateUnsafe(1, context)
          if (outcome === "started") {
            const tookSeconds = Number(clock.monotonicTimeNanosUnsafe() - beganAtNanos) / 1e9
            Metric.withAttributes(seconds, { function: name }).updateUnsafe(tookSeconds, context)
          }
        })
      )
    })

  const list: typeof runtime.list = (owner) =>
    Effect.suspend(() => {
      seen(owner)
      return runtime.list(owner)
    })

  return {
    runtime: { ...runtime, ensure, list },
    /** Those who have started workers or asked for theirs. */
    owners: (): ReadonlyArray<OwnerId> => [...owners],
    /** Until it is heard of again. */
    forget: (owner: OwnerId): void => void owners.delete(owner)
  }
})
