/**
 * The calls that came in by the data door: each a fiber of the door's scope and not of its request, so that it runs to its end
 * whatever becomes of the connection.
 */
import { Cause, Duration, Effect, Exit, Fiber, FiberSet, Latch } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import { type Failure, RuntimeUnavailable, WorkerUnreachable } from "#domain/Failure"
import type { AnswerStream, InvocationResult } from "#domain/Invocation"
import type * as InvocationHeaders from "#domain/InvocationHeaders"
import type { ContainerId, OwnerId, Worker } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"
import * as DoorAnswer from "./DoorAnswer.ts"
import { KnownWorkers } from "../KnownWorkers.ts"
import * as ReceivedCall from "../ReceivedCall.ts"
import * as TouchRate from "./TouchRate.ts"

/** Which worker, and who asks for it. */
export interface Wanted {
  readonly id: ContainerId
  readonly owner: OwnerId
}

export interface WantedCall extends Wanted {
  /** The worker is frozen, and is to be woken first. */
  readonly thaws: boolean
}

export interface CallLimits {
  /** A worker that takes longer to wake up gets no event. It may wake up yet. */
  readonly thawLimitMs: number
}

export const defaultLimits: CallLimits = { thawLimitMs: 5_000 }

const stopping = ({ id }: Wanted) => new WorkerUnreachable({ containerId: id, detail: "its Agent is stopping" })

export const make = Effect.fnUntraced(function* ({ thawLimitMs }: CallLimits) {
  const client = yield* WorkerClient
  const runtime = yield* ContainerRuntime
  const known = yield* KnownWorkers
  const fibers = yield* FiberSet.make<unknown, Failure>()
  const fork = yield* FiberSet.runtime(fibers)()
  const isWorthTelling = TouchRate.make()
  const none = Latch.makeUnsafe(true)
  let inFlight = 0
  let isStopping = false

  const refuse = (wanted: Wanted, response: ServerResponse): void => DoorAnswer.part(response, stopping(wanted))

  /** A call is over when its fiber has ended and its answer has left, whichever is later. */
  const enter = (): (() => void) => {
    let parts = 2
    inFlight += 1
    none.closeUnsafe()
    return () => {
      parts -= 1
      if (parts > 0) return
      inFlight -= 1
      if (inFlight === 0) none.openUnsafe()
    }
  }

  /** Not broken off: an engine that answers late has done it all the same. */
  const thaw = ({ id, owner }: Worker) =>
    Effect.suspend(() => Fiber.join(fork(runtime.resume(id, owner)))).pipe(
      Effect.timeoutOrElse({
        duration: thawLimitMs,
        orElse: () =>
          Effect.fail(new RuntimeUnavailable({ detail: `it does not wake up within ${thawLimitMs} ms`, isAway: true }))
      }),
      Effect.tapErrorTag("ContainerNotFound", () => Effect.sync(() => known.forget(id)))
    )

  /** In the background, and without a word when it fails: a call that meets no worker tells that itself. */
  const touch = ({ id, owner }: Worker): void => {
    if (isWorthTelling(id, performance.now())) fork(Effect.ignore(runtime.touch(id, owner)))
  }

  const send = Effect.fnUntraced(function* (
    { id, owner, thaws }: WantedCall,
    headers: InvocationHeaders.ReceivedHeaders,
    payload: Uint8Array,
    stream: AnswerStream | undefined
  ) {
    const worker = yield* known.find(id, owner)
    const invocation = yield* ReceivedCall.read(worker, headers, payload)
    if (thaws) yield* thaw(worker)
    else touch(worker)
    return yield* client.send(worker, invocation, stream)
  })

  /** A call that ends in no way it may end has its connection cut: its caller must not take it for one that has not begun. */
  const cutOff = (response: ServerResponse, cause: Cause.Cause<Failure>): void => {
    if (Cause.hasDies(cause)) fork(Effect.logError("A call by the data door met a defect", cause))
    response.destroy()
  }

  const tell = (
    response: ServerResponse,
    exit: Exit.Exit<InvocationResult, Failure>,
    stream: DoorAnswer.StreamedAnswer | undefined
  ): void => {
    const way = stream?.begun === true ? stream : DoorAnswer.whole(response)
    if (Exit.isSuccess(exit)) return way.end(exit.value)
    const failure = Cause.findErrorOption(exit.cause)
    return failure._tag === "Some" ? way.fail(failure.value) : cutOff(response, exit.cause)
  }

  return {
    invoke: (wanted: WantedCall, request: IncomingMessage, response: ServerResponse, event: Uint8Array): void => {
      if (isStopping) return refuse(wanted, response)
      const leave = enter()
      // Only to who takes trailers can be told how a streamed answer ended.
      const stream = request.headers["te"] === "trailers" ? new DoorAnswer.StreamedAnswer(response) : undefined
      const fiber: Fiber.Fiber<InvocationResult, Failure> = fork(send(wanted, request.headers, event, stream))
      response.once("close", leave)
      fiber.addObserver((exit) => {
        tell(response, exit, stream)
        leave()
      })
    },
    /** Answers when the worker is ready, or will never be. */
    ready: (wanted: Wanted, response: ServerResponse): void => {
      if (isStopping) return refuse(wanted, response)
      const waiting = Effect.flatMap(known.find(wanted.id, wanted.owner), client.ready)
      const fiber: Fiber.Fiber<void, Failure> = fork(waiting)
      // Nobody is harmed when the wait for a worker ends early.
      response.once("close", () => fiber.interruptUnsafe())
      fiber.addObserver((exit) => {
        if (Exit.isSuccess(exit)) return DoorAnswer.nothing(response)
        const failure = Cause.findErrorOption(exit.cause)
        return failure._tag === "Some" ? DoorAnswer.whole(response).fail(failure.value) : cutOff(response, exit.cause)
      })
    },
    inFlight: () => inFlight,
    /** Takes no further call, and waits for those in flight. */
    drain: (limit: Duration.Duration): Effect.Effect<void> =>
      Effect.suspend(() => {
        isStopping = true
        return Effect.asVoid(Effect.timeoutOption(none.await, limit))
      })
  }
})
