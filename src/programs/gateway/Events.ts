/**
 * Runs events that were accepted with 202. A function's events run on at most as many workers as it may have, and a place is
 * given away only after the outcome of its last event is on disk: after a crash of ours, no more events run again than places.
 */
import { randomUUID } from "node:crypto"
import { Clock, Context, Duration, Effect, FiberMap, FiberSet, Layer, Queue, Schedule } from "effect"
import type { AsyncEvent, ClaimedEvent } from "#domain/AsyncEvent"
import * as DestinationRecord from "#domain/DestinationRecord"
import * as EventOutcome from "#domain/EventOutcome"
import { isFunctionFault, type QueueFull, type StorageUnavailable } from "#domain/Failure"
import * as FunctionArn from "#domain/FunctionArn"
import type { FunctionName } from "#domain/FunctionName"
import type { AsynchronousPolicy, FunctionSpec } from "#domain/FunctionSpec"
import { isLost } from "#domain/WorkerExit"
import { EventQueue, type Settlement } from "#services/EventQueue"
import { FunctionCatalog } from "#services/FunctionCatalog"
import { type InvokeFailure, Invoker } from "./Invoke.ts"

/** Where events are accepted. */
export class Events extends Context.Service<
  Events,
  {
    /** On disk when this returns, and run soon after. */
    readonly accept: (event: AsyncEvent) => Effect.Effect<void, QueueFull | StorageUnavailable>
  }
>()("esb/programs/gateway/Events") {}

export interface Options {
  readonly region: string
  readonly retryBaseMs: number
  readonly drainTimeout: Duration.Duration
}

/** How often the store is asked for events whose time has come. */
const tick = "1 second"

/** How often an outcome that cannot be stored is tried again, some minutes in all; then the event counts as interrupted by a crash. */
const settleTimes = 12
const settleSchedule = Schedule.exponential("100 millis")

/** For an event whose function is gone, and with it its policy. */
const policyOfTheGone: AsynchronousPolicy = {
  retries: 0,
  maxAgeMs: 6 * 3600 * 1000,
  onFailure: undefined,
  onSuccess: undefined
}

const outcomeOf = (failure: InvokeFailure): EventOutcome.RunOutcome => {
  if (!isFunctionFault(failure)) return { _tag: "NotRun", reason: failure._tag }
  const { errorType, payload } = failure
  // It may have run. That an Agent, or the way to it, failed costs no attempt: the event runs again, as after a crash of ours.
  return isLost(failure) ? { _tag: "NotRun", reason: errorType } : { _tag: "FunctionFailed", payload, errorType }
}

export const layer = (options: Options) =>
  Layer.effect(
    Events,
    Effect.gen(function* () {
      const queue = yield* EventQueue
      const catalog = yield* FunctionCatalog
      const invoker = yield* Invoker
      const running = yield* FiberSet.make()
      yield* Effect.addFinalizer(() => Effect.timeoutOption(FiberSet.awaitEmpty(running), options.drainTimeout))
      // Closed before `running` is awaited: a stopping Gateway claims nothing more.
      const lanes = yield* FiberMap.make<FunctionName>()
      const bells = new Map<FunctionName, Queue.Queue<void>>()
      const places = new Map<FunctionName, number>()

      const run = (spec: FunctionSpec | undefined, event: ClaimedEvent): Effect.Effect<EventOutcome.RunOutcome> =>
        spec === undefined
          ? Effect.succeed({ _tag: "FunctionGone" })
          : spec.scaling.maxCapacity === 0
            ? Effect.succeed({ _tag: "Closed" })
            : Effect.match(
                invoker.invoke(spec, {
                  requestId: event.id,
                  functionName: event.functionName,
                  traceId: event.traceId,
                  invokedArn: event.invokedArn,
                  payload: event.payload,
                  clientContext: event.clientContext,
                  wantsLogTail: false
                }),
                {
                  onSuccess: (result): EventOutcome.RunOutcome =>
                    result.errorType === undefined
                      ? { _tag: "Succeeded", payload: result.payload }
                      : { _tag: "FunctionFailed", payload: result.payload, errorType: result.errorType },
                  onFailure: outcomeOf
                }
              )

      /** Tells the destination function, if there is one. Like every event, what it is told arrives at least once. */
      const tell = Effect.fnUntraced(function* (
        destination: FunctionName | undefined,
        event: ClaimedEvent,
        condition: EventOutcome.Condition | "Success",
        outcome: EventOutcome.RunOutcome
      ) {
        if (destination === undefined) {
          return
        }
        const nowMs = yield* Clock.currentTimeMillis
        const arn = FunctionArn.of(options.region, event.functionName)
        yield* accept({
          id: randomUUID(),
          functionName: destination,
          payload: DestinationRecord.encode(event, arn, condition, outcome, nowMs),
          traceId: event.traceId,
          clientContext: undefined,
          invokedArn: FunctionArn.of(options.region, destination),
          acceptedAtUnixMs: nowMs
        })
      })

      const conclude = Effect.fnUntraced(function* (
        event: ClaimedEvent,
        policy: AsynchronousPolicy,
        outcome: EventOutcome.RunOutcome
      ): Effect.fn.Return<Settlement, QueueFull | StorageUnavailable> {
        const decision = EventOutcome.decide(event, outcome, policy, options, yield* Clock.currentTimeMillis)
        switch (decision._tag) {
          case "Later":
            return decision
          case "Done":
            yield* tell(policy.onSuccess, event, "Success", outcome)
            return decision
          case "GiveUp":
            yield* tell(policy.onFailure, event, decision.condition, outcome)
            return policy.onFailure === undefined
              ? { _tag: "Failed", reason: `${decision.condition}: ${decision.reason}` }
              : { _tag: "Done" }
        }
      })

      /** One event from claim to settlement. */
      const handle = Effect.fnUntraced(function* (event: ClaimedEvent) {
        const spec = catalog.current().functions.get(event.functionName)
        const outcome = yield* run(spec, event)
        const stored = { times: settleTimes, schedule: settleSchedule }
        yield* conclude(event, spec?.asynchronous ?? policyOfTheGone, outcome).pipe(
          Effect.retry(stored),
          Effect.flatMap((settlement) => Effect.retry(queue.settle(event.id, settlement), stored)),
          Effect.catch((failure) =>
            Effect.logError(`the outcome of event ${event.id} could not be stored: ${failure.message}`).pipe(
              Effect.annotateLogs({ requestId: event.id, traceId: event.traceId })
            )
          )
        )
      })

      const occupied = (name: FunctionName) => places.get(name) ?? 0

      const ring = (name: FunctionName) => {
        const bell = bells.get(name)
        return bell === undefined ? Effect.void : Queue.offer(bell, undefined)
      }

      /** Takes events for the places that are free. Whole or not at all: a claimed event is running, or stays claimed until the next start. */
      const fill = Effect.fnUntraced(function* (name: FunctionName) {
        const most = Math.max(1, catalog.current().functions.get(name)?.scaling.maxCapacity ?? 1)
        const free = most - occupied(name)
        const claimed = free > 0 ? yield* claim(name, free) : []
        for (const event of claimed) {
          places.set(name, occupied(name) + 1)
          const leave = Effect.andThen(
            Effect.sync(() => places.set(name, occupied(name) - 1)),
            ring(name)
          )
          yield* FiberSet.run(running, Effect.ensuring(handle(event), leave))
        }
        return claimed.length === free && free > 0
      }, Effect.uninterruptible)

      /** The events of one function, in order of their time, as long as there are places for them. */
      const lane = Effect.fnUntraced(function* (name: FunctionName, bell: Queue.Queue<void>) {
        while (true) {
          const mayBeMore = yield* fill(name)
          if (!mayBeMore) {
            yield* Queue.take(bell)
          }
        }
      })

      const claim = (name: FunctionName, limit: number) =>
        Effect.flatMap(Clock.currentTimeMillis, (nowMs) => queue.claim(name, limit, nowMs)).pipe(
          Effect.catch((failure) => Effect.as(Effect.logError(`events could not be read: ${failure.message}`), []))
        )

      const wake = Effect.fnUntraced(function* (name: FunctionName) {
        const known = bells.get(name)
        if (known !== undefined) {
          return yield* Queue.offer(known, undefined)
        }
        const bell = yield* Queue.sliding<void>(1)
        bells.set(name, bell)
        return yield* FiberMap.run(lanes, name, lane(name, bell))
      })

      const accept = (event: AsyncEvent) => Effect.tap(queue.enqueue(event), () => wake(event.functionName))

      const wakeDue = Effect.gen(function* () {
        const nowMs = yield* Clock.currentTimeMillis
        for (const { dueAtUnixMs, functionName } of yield* queue.due) {
          if (dueAtUnixMs <= nowMs) {
            yield* wake(functionName)
          }
        }
      }).pipe(Effect.catch((failure) => Effect.logError(`due events could not be read: ${failure.message}`)))

      const interrupted = yield* queue.recover
      if (interrupted > 0) {
        yield* Effect.logWarning(`${interrupted} events were running when the Gateway last ended; they run again`)
      }
      yield* wakeDue.pipe(Effect.andThen(Effect.sleep(tick)), Effect.forever, Effect.forkScoped)
      return Events.of({ accept })
    })
  )
