/** A `WorkerClient` that counts what becomes of the calls it sends, and how long they take. */
import { Clock, Effect, type Exit, Metric } from "effect"
import type { InvocationResult } from "#domain/Invocation"
import type { SendFailure, WorkerClient } from "#services/WorkerClient"
import type { FunctionLabel } from "./FunctionLabel.ts"

const calls = Metric.counter("esb_worker_calls_total", {
  description: "Calls of workers that have ended, by their outcome.",
  incremental: true
})
const seconds = Metric.histogram("esb_worker_call_seconds", {
  description: "Seconds from handing an event to a worker to the end of its answer.",
  boundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900]
})

/** What a call can come to. An error of the function is an answer; all but the first two end the worker. */
export type Outcome =
  | "success"
  | "function_error"
  | "timeout"
  | "exit"
  | "out_of_memory"
  | "init_error"
  | "unreachable"
  | "cancelled"

const outcomeOfFailure = (failure: SendFailure): Outcome => {
  switch (failure._tag) {
    case "InvocationTimedOut":
      return "timeout"
    case "WorkerExited":
      return failure.errorType === "Runtime.OutOfMemory" ? "out_of_memory" : "exit"
    case "InitFailed":
      return "init_error"
    case "WorkerUnreachable":
      return "unreachable"
  }
}

const outcomeOf = (exit: Exit.Exit<InvocationResult, SendFailure>): Outcome => {
  if (exit._tag === "Success") {
    return exit.value.errorType === undefined ? "success" : "function_error"
  }
  const failed = exit.cause.reasons.find((reason) => reason._tag === "Fail")
  return failed === undefined ? "cancelled" : outcomeOfFailure(failed.error)
}

/** Series are looked up by name once: a call should not pay for the search. */
const seriesOf = (name: string) => {
  const byOutcome = new Map<Outcome, Metric.Counter<number>>()
  return {
    seconds: Metric.withAttributes(seconds, { function: name }),
    calls: (outcome: Outcome): Metric.Counter<number> => {
      const known = byOutcome.get(outcome)
      if (known !== undefined) {
        return known
      }
      const made = Metric.withAttributes(calls, { function: name, outcome })
      byOutcome.set(outcome, made)
      return made
    }
  }
}

export const counted = Effect.fnUntraced(function* (client: WorkerClient["Service"], label: FunctionLabel) {
  const clock = yield* Clock.Clock
  const context = yield* Effect.context<never>()
  const known = new Map<string, ReturnType<typeof seriesOf>>()

  const record = (name: string, beganAtNanos: bigint, outcome: Outcome): void => {
    const series = known.get(name) ?? seriesOf(name)
    known.set(name, series)
    series.calls(outcome).updateUnsafe(1, context)
    series.seconds.updateUnsafe(Number(clock.monotonicTimeNanosUnsafe() - beganAtNanos) / 1e9, context)
  }

  const send: typeof client.send = (worker, invocation, stream) =>
    Effect.suspend(() => {
      const beganAtNanos = clock.monotonicTimeNanosUnsafe()
      return Effect.onExit(client.send(worker, invocation, stream), (exit) =>
        Effect.sync(() => record(label(worker.functionName), beganAtNanos, outcomeOf(exit)))
      )
    })
  return { ...client, send }
})
