/** A `WorkerClient` whose calls are operations of the trace that they belong to; what the worker does is a part of them. */
import { Effect, type Exit, Layer } from "effect"
import type { Invocation, InvocationResult } from "#domain/Invocation"
import type { SpanEnd, SpanKind } from "#domain/Span"
import type { Worker } from "#domain/Worker"
import { Tracing } from "#services/Tracing"
import { type SendFailure, WorkerClient } from "#services/WorkerClient"

const figuresOf = ({ report }: InvocationResult): SpanEnd["attributes"] => ({
  "faas.duration_ms": report.durationMs,
  ...(report.initDurationMs === undefined ? {} : { "faas.init_duration_ms": report.initDurationMs }),
  "faas.coldstart": report.initDurationMs !== undefined
})

const endOf = (worker: Worker, invocation: Invocation, exit: Exit.Exit<InvocationResult, SendFailure>): SpanEnd => {
  const about = { requestId: invocation.requestId, functionName: invocation.functionName }
  const who = { "faas.invoked_name": invocation.functionName, "faas.instance": worker.name }
  if (exit._tag === "Success") {
    return { ...about, error: exit.value.errorType, attributes: { ...who, ...figuresOf(exit.value) } }
  }
  const failed = exit.cause.reasons.find((reason) => reason._tag === "Fail")
  return { ...about, error: failed === undefined ? "Interrupted" : failed.error._tag, attributes: who }
}

export interface Options {
  /** What a call is called: the name of the function follows. */
  readonly verb: string
  readonly kind: SpanKind
}

export const layer = ({ kind, verb }: Options): Layer.Layer<WorkerClient, never, Tracing | WorkerClient> =>
  Layer.effect(
    WorkerClient,
    Effect.gen(function* () {
      const client = yield* WorkerClient
      const tracing = yield* Tracing
      const send: typeof client.send = (worker, invocation, stream) =>
        Effect.suspend(() => {
          const span = tracing.begin(invocation.traceId, `${verb} ${invocation.functionName}`, kind)
          if (span === undefined) return client.send(worker, invocation, stream)
          return Effect.onExit(client.send(worker, { ...invocation, traceId: span.traceId }, stream), (exit) =>
            Effect.sync(() => span.end(endOf(worker, invocation, exit)))
          )
        })
      return { ...client, send }
    })
  )
