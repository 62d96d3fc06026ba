/**
 * One invocation, in the order it happens: find the function, borrow a worker, send, give the worker back.
 *
 * An invocation belongs to the worker, not to the connection: a caller who goes away is forgotten, and the call runs to its
 * end or to its timeout. A stop waits for such calls too.
 */
import { Context, Duration, Effect, Fiber, FiberSet, Layer, Schedule } from "effect"
import type { FunctionSpec } from "#domain/FunctionSpec"
import type { Invocation, InvocationResult } from "#domain/Invocation"
import { type SendFailure, WorkerClient } from "#services/WorkerClient"
import { type BorrowFailure, WorkerPool } from "#services/WorkerPool"

export type InvokeFailure = BorrowFailure | SendFailure

/** Calls functions, for every door of the Gateway: the Invoke API, routes, events and schedules. */
export class Invoker extends Context.Service<
  Invoker,
  {
    /** Runs on when the caller is interrupted. */
    readonly invoke: (spec: FunctionSpec, invocation: Invocation) => Effect.Effect<InvocationResult, InvokeFailure>
    /** Calls that run now, those without a caller included. */
    readonly inFlight: Effect.Effect<number>
  }
>()("esb/programs/gateway/Invoke/Invoker") {}

/** Its worker could not be thawed for it: another is asked for, for as long as a call may wait for one. */
const isAsleep = (failure: InvokeFailure): boolean =>
  failure._tag === "WorkerUnreachable" && failure.notThawed !== undefined

export const layer = (options: { readonly drainTimeout: Duration.Duration }) =>
  Layer.effect(
    Invoker,
    Effect.gen(function* () {
      const pool = yield* WorkerPool
      const client = yield* WorkerClient
      const calls = yield* FiberSet.make<InvocationResult, InvokeFailure>()
      const fork = yield* FiberSet.runtime(calls)()
      // Runs before the set itself is closed, which interrupts what is left.
      yield* Effect.addFinalizer(() => Effect.timeoutOption(FiberSet.awaitEmpty(calls), options.drainTimeout))

      const send = Effect.fnUntraced(
        function* (spec: FunctionSpec, invocation: Invocation) {
          const worker = yield* pool.borrow(spec)
          return yield* client.send(worker, invocation)
        },
        Effect.scoped,
        // It was frozen. Others may be awake, or start; one whose engine gave no answer comes back as it was.
        (call, { scaling }) =>
          Effect.retry(call, { while: isAsleep, schedule: Schedule.during(scaling.acquireTimeoutMs) }),
        // This failure promises that no byte of the event reached a runtime.
        Effect.retry({ times: 1, while: (failure) => failure._tag === "WorkerUnreachable" && !isAsleep(failure) }),
        (call, _spec, { requestId }) => Effect.catchTag(call, "InitFailed", (failure) => failure.toldTo(requestId))
      )

      return Invoker.of({
        invoke: (spec, invocation) => Effect.suspend(() => Fiber.join(fork(send(spec, invocation)))),
        inFlight: FiberSet.size(calls)
      })
    })
  )
