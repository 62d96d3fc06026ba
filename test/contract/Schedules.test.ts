import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, type Scope } from "effect"
import { TestClock } from "effect/testing"
import type { AsyncEvent } from "#domain/AsyncEvent"
import { QueueFull } from "#domain/Failure"
import type { FunctionSpec, ScheduleSpec } from "#domain/FunctionSpec"
import * as MemoryFunctionCatalog from "#layers/memory/MemoryFunctionCatalog"
import { Events } from "#programs/gateway/Events"
import * as Schedules from "#programs/gateway/Schedules"
import { named } from "#test/support/Pools"

const scheduled = (name: string, ...schedules: ReadonlyArray<ScheduleSpec>): FunctionSpec => ({
  ...named(name),
  schedules
})

const every = (expression: string, input?: string): ScheduleSpec => ({ expression, input })

/** What was fired so far. */
class Fired extends Context.Service<
  Fired,
  {
    readonly events: ReadonlyArray<AsyncEvent>
    /** The next firing finds the queue full. */
    readonly refuseOnce: () => void
  }
>()("esb/test/Fired") {}

const recording = Layer.effectContext(
  Effect.sync(() => {
    const events: Array<AsyncEvent> = []
    let isFull = false
    const accept = (event: AsyncEvent) =>
      Effect.suspend(() => {
        if (isFull) {
          isFull = false
          return Effect.fail(new QueueFull({ limit: 1 }))
        }
        events.push(event)
        return Effect.void
      })
    return Context.empty().pipe(
      Context.add(Events, { accept }),
      Context.add(Fired, { events, refuseOnce: () => void (isFull = true) })
    )
  })
)

/** Lets the schedules see a change: nothing in memory takes time, only turns. */
const settle = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })

const start = Date.parse("2026-03-01T10:00:30Z")

/** The clocks of these functions run from {@link start} on. */
const running = <A, E>(
  functions: ReadonlyArray<FunctionSpec>,
  test: Effect.Effect<A, E, Fired | MemoryFunctionCatalog.MemoryDeployment | Scope.Scope>
) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(start)
    return yield* Effect.andThen(settle, test).pipe(
      Effect.provide(
        Schedules.layer({ region: "eu-central-1" }).pipe(
          Layer.provideMerge(Layer.mergeAll(recording, MemoryFunctionCatalog.layer({ functions, routes: [] })))
        )
      )
    )
  }).pipe(Effect.scoped)

const deploy = Effect.fnUntraced(function* (...functions: ReadonlyArray<FunctionSpec>) {
  const deployment = yield* MemoryFunctionCatalog.MemoryDeployment
  yield* deployment.replace({ functions, routes: [] })
  yield* settle
})

/** `name HH:MM:SS` of every firing. */
const fired = Effect.map(Fired, ({ events }) =>
  events.map(
    ({ acceptedAtUnixMs, functionName }) => `${functionName} ${new Date(acceptedAtUnixMs).toISOString().slice(11, 19)}`
  )
)

const payloads = Effect.map(Fired, ({ events }) => events.map(({ payload }) => new TextDecoder().decode(payload)))

describe("Schedules", () => {
  it.effect("a rate fires one period after it was deployed, and every period from then on", () =>
    running(
      [scheduled("tick", every("rate(1 minute)"))],
      Effect.gen(function* () {
        yield* TestClock.adjust("59 seconds")
        assert.deepStrictEqual(yield* fired, [])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* fired, ["tick 10:01:30"])
        yield* TestClock.adjust("2 minutes")
        assert.deepStrictEqual(yield* fired, ["tick 10:01:30", "tick 10:02:30", "tick 10:03:30"])
      })
    )
  )

  it.effect("a cron fires at the times it names, however far they lie ahead", () =>
    running(
      [scheduled("noon", every("cron(0 12 * * ? *)")), scheduled("yearly", every("cron(30 6 1 1 ? *)"))],
      Effect.gen(function* () {
        yield* TestClock.adjust("2 days")
        assert.deepStrictEqual(yield* fired, ["noon 12:00:00", "noon 12:00:00"])
        yield* deploy(scheduled("yearly", every("cron(30 6 1 1 ? *)")))
        yield* TestClock.adjust("303 days")
        assert.strictEqual((yield* fired).length, 2)
        yield* TestClock.adjust("1 day")
        assert.deepStrictEqual((yield* fired).slice(2), ["yearly 06:30:00"])
      })
    )
  )

  it.effect("every schedule of a function has a clock of its own", () =>
    running(
      [scheduled("both", every("rate(1 minute)", `"minute"`), every("cron(* * * * ? *)", `"cron"`))],
      Effect.gen(function* () {
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* payloads, [`"cron"`, `"minute"`])
      })
    )
  )

  it.effect("the function gets the input as it is written", () =>
    running(
      [scheduled("tick", every("rate(1 minute)", `{"a": 1 }`))],
      Effect.gen(function* () {
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* payloads, [`{"a": 1 }`])
      })
    )
  )

  it.effect("without an input it gets the event that AWS would send", () =>
    running(
      [scheduled("tick", every("rate(1 minute)", "{}"), every("cron(* * * * ? *)"))],
      Effect.gen(function* () {
        yield* TestClock.adjust("30 seconds")
        const { events } = yield* Fired
        const [event] = events
        assert.deepStrictEqual(JSON.parse((yield* payloads)[0] ?? ""), {
          version: "0",
          id: event?.id,
          "detail-type": "Scheduled Event",
          source: "aws.events",
          account: "000000000000",
          time: "2026-03-01T10:01:00Z",
          region: "eu-central-1",
          resources: ["arn:aws:events:eu-central-1:000000000000:rule/tick_sched_1"],
          detail: {}
        })
        assert.strictEqual(event?.invokedArn, "arn:aws:lambda:eu-central-1:000000000000:function:tick")
        assert.match(event?.traceId ?? "", /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Sampled=1$/)
      })
    )
  )

  it.effect("a deploy that leaves a schedule as it is leaves its clock running", () =>
    running(
      [scheduled("tick", every("rate(1 minute)"))],
      Effect.gen(function* () {
        yield* TestClock.adjust("40 seconds")
        yield* deploy(
          { ...scheduled("tick", every("rate(1 minute)")), image: "tick:2" },
          scheduled("other", every("rate(1 minute)"))
        )
        yield* TestClock.adjust("20 seconds")
        assert.deepStrictEqual(yield* fired, ["tick 10:01:30"])
        yield* TestClock.adjust("40 seconds")
        assert.deepStrictEqual(yield* fired, ["tick 10:01:30", "other 10:02:10"])
      })
    )
  )

  it.effect("a schedule that is changed begins anew, and the old one fires no more", () =>
    running(
      [scheduled("tick", every("rate(1 minute)"))],
      Effect.gen(function* () {
        yield* TestClock.adjust("40 seconds")
        yield* deploy(scheduled("tick", every("rate(2 minutes)")))
        yield* TestClock.adjust("119 seconds")
        assert.deepStrictEqual(yield* fired, [])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* fired, ["tick 10:03:10"])
        yield* deploy(scheduled("tick", every("rate(2 minutes)", `"new"`)))
        yield* TestClock.adjust("2 minutes")
        assert.deepStrictEqual((yield* payloads).slice(1), [`"new"`])
      })
    )
  )

  it.effect("a schedule that is removed, or whose function is, stops", () =>
    running(
      [scheduled("tick", every("rate(1 minute)")), scheduled("tock", every("rate(1 minute)"))],
      Effect.gen(function* () {
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* fired).length, 2)
        yield* deploy(scheduled("tick"))
        yield* TestClock.adjust("1 hour")
        assert.strictEqual((yield* fired).length, 2)
      })
    )
  )

  it.effect("a schedule that cannot be read is passed over, and the others are kept", () =>
    running(
      [
        scheduled("wrong", every("rate(1 minutes)")),
        scheduled("past", every("cron(0 0 1 1 ? 2020)")),
        scheduled("tick", every("rate(1 minute)"))
      ],
      Effect.gen(function* () {
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* fired, ["tick 10:01:30"])
      })
    )
  )

  it.effect("a firing that finds the queue full is lost, and the next one is not", () =>
    running(
      [scheduled("tick", every("rate(1 minute)"))],
      Effect.gen(function* () {
        const { refuseOnce } = yield* Fired
        refuseOnce()
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* fired, [])
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* fired, ["tick 10:02:30"])
      })
    )
  )
})
