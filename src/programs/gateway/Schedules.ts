/**
 * Calls functions by the clock. A firing becomes an accepted event, so that it survives a crash and is retried like any
 * other; times missed while the Gateway was down are not made up for.
 */
import { randomUUID } from "node:crypto"
import { Clock, Effect, FiberMap, Layer, Result, Stream } from "effect"
import * as FunctionArn from "#domain/FunctionArn"
import type { FunctionName } from "#domain/FunctionName"
import type { FunctionSpec, ScheduleSpec } from "#domain/FunctionSpec"
import * as Schedule from "#domain/Schedule"
import * as ScheduledEvent from "#domain/ScheduledEvent"
import * as TraceContext from "#domain/TraceContext"
import { FunctionCatalog } from "#services/FunctionCatalog"
import { Events } from "./Events.ts"

const encoder = new TextEncoder()

/** A timer cannot be set further ahead than this. */
const longestSleepMs = 24 * 3600 * 1000

interface Job {
  readonly functionName: FunctionName
  readonly rule: string
  readonly schedule: ScheduleSpec
}

/** A job whose text is unchanged keeps its clock when the configuration is read again. */
const jobsOf = (specs: Iterable<FunctionSpec>): ReadonlyMap<string, Job> => {
  const jobs = new Map<string, Job>()
  for (const spec of specs) {
    spec.schedules.forEach((schedule, index) => {
      const rule = `${spec.name}_sched_${index}`
      jobs.set(JSON.stringify([rule, schedule]), { functionName: spec.name, rule, schedule })
    })
  }
  return jobs
}

export const layer = (options: { readonly region: string }) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const catalog = yield* FunctionCatalog
      const events = yield* Events
      const clocks = yield* FiberMap.make<string>()

      const sleepUntil = (unixMs: number): Effect.Effect<void> =>
        Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
          unixMs - nowMs > longestSleepMs
            ? Effect.andThen(Effect.sleep(longestSleepMs), sleepUntil(unixMs))
            : Effect.sleep(Math.max(0, unixMs - nowMs))
        )

      const fire = (job: Job, atMs: number) => {
        const id = randomUUID()
        return events
          .accept({
            id,
            functionName: job.functionName,
            payload:
              job.schedule.input === undefined
                ? ScheduledEvent.encode(id, options.region, job.rule, atMs)
                : encoder.encode(job.schedule.input),
            traceId: TraceContext.format(TraceContext.generate()),
            clientContext: undefined,
            invokedArn: FunctionArn.of(options.region, job.functionName),
            acceptedAtUnixMs: atMs
          })
          .pipe(Effect.catch((failure) => Effect.logError(`${job.rule} could not be fired: ${failure.message}`)))
      }

      const keepTime = Effect.fnUntraced(function* (job: Job) {
        const schedule = Schedule.parse(job.schedule.expression)
        if (Result.isFailure(schedule)) {
          return yield* Effect.logError(`${job.rule} is never fired: ${schedule.failure.message}`)
        }
        let from = yield* Clock.currentTimeMillis
        while (true) {
          const next = Schedule.next(schedule.success, from)
          if (next === undefined) {
            return yield* Effect.logInfo(`${job.rule} has fired for the last time`)
          }
          yield* sleepUntil(next)
          yield* fire(job, next)
          // A clock that jumped ahead fires once, not once for every time it jumped over.
          from = Math.max(next, (yield* Clock.currentTimeMillis) - 1)
        }
      })

      const apply = Effect.fnUntraced(function* (specs: Iterable<FunctionSpec>) {
        const jobs = jobsOf(specs)
        for (const [key] of clocks) {
          if (!jobs.has(key)) {
            yield* FiberMap.remove(clocks, key)
          }
        }
        for (const [key, job] of jobs) {
          yield* FiberMap.run(clocks, key, keepTime(job), { onlyIfMissing: true })
        }
      })

      yield* Stream.runForEach(catalog.changes, (snapshot) => apply(snapshot.functions.values())).pipe(
        Effect.forkScoped
      )
    })
  )
