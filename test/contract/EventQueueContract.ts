/** What every event queue promises, whichever technology keeps the events. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, type Layer } from "effect"
import type { AsyncEvent } from "#domain/AsyncEvent"
import type { FunctionName } from "#domain/FunctionName"
import { EventQueue, type EventQueueLimits } from "#services/EventQueue"

const hello = "hello" as FunctionName
const other = "other" as FunctionName
const acceptedAtUnixMs = 1_700_000_000_000
const now = acceptedAtUnixMs + 1_000

/** An event of `hello` as a caller would have it accepted. */
export const event = (id: string, more: Partial<AsyncEvent> = {}): AsyncEvent => ({
  id,
  functionName: hello,
  payload: new TextEncoder().encode(`{"id":"${id}"}`),
  traceId: "Root=1-65535353-0123456789abcdef01234567;Sampled=1",
  clientContext: undefined,
  invokedArn: "arn:aws:lambda:us-east-1:123456789012:function:hello",
  acceptedAtUnixMs,
  ...more
})

const failed = (reason: string) => ({ _tag: "Failed" as const, reason })
const later = (cause: "failure" | "postponement", dueAtUnixMs: number) =>
  ({ _tag: "Later", cause, dueAtUnixMs, reason: "not now" }) as const

const idsOf = (events: ReadonlyArray<{ readonly id: string }>) => events.map(({ id }) => id)

const claimAll = Effect.flatMap(EventQueue, (queue) => queue.claim(hello, 1_000, Number.MAX_SAFE_INTEGER))

export const suite = (name: string, layer: (limits?: Partial<EventQueueLimits>) => Layer.Layer<EventQueue, unknown>) =>
  describe(`EventQueue (${name})`, () => {
    const promises = (
      title: string,
      body: (queue: EventQueue["Service"]) => Effect.Effect<void, unknown, EventQueue>,
      limits?: Partial<EventQueueLimits>
    ) => it.live(title, () => Effect.flatMap(EventQueue, body).pipe(Effect.provide(layer(limits))))

    promises("a claimed event is the one that was accepted, byte for byte", (queue) =>
      Effect.gen(function* () {
        const payload = Uint8Array.from({ length: 256 }, (_, byte) => byte)
        const accepted = event("a", { payload, clientContext: '{"custom":{"a":"ü\\u0000"}}' })
        yield* queue.enqueue(accepted)
        const claimed = yield* queue.claim(hello, 10, now)
        assert.deepStrictEqual(claimed, [{ ...accepted, failures: 0, postponements: 0, crashes: 0 }])
      })
    )

    promises("the caller may reuse the bytes of a payload once enqueue was called", (queue) =>
      Effect.gen(function* () {
        const payload = new TextEncoder().encode("before")
        const enqueuing = yield* Effect.forkChild(queue.enqueue(event("a", { payload })), { startImmediately: true })
        payload.fill(0)
        yield* Fiber.join(enqueuing)
        const [claimed] = yield* claimAll
        assert.strictEqual(new TextDecoder().decode(claimed?.payload), "before")
      })
    )

    promises("an empty payload is one, also when several are claimed at once", (queue) =>
      Effect.gen(function* () {
        yield* queue.enqueue(event("a", { payload: new Uint8Array(0) }))
        yield* queue.enqueue(event("b", { payload: new Uint8Array(0) }))
        const claimed = yield* claimAll
        assert.deepStrictEqual(
          claimed.map(({ payload }) => payload.length),
          [0, 0]
        )
      })
    )

    promises(
      "a claim takes the event that was due first, at most as many as wanted, and none that is not due",
      (queue) =>
        Effect.gen(function* () {
          yield* queue.enqueue(event("third", { acceptedAtUnixMs: acceptedAtUnixMs + 3 }))
          yield* queue.enqueue(event("first", { acceptedAtUnixMs: acceptedAtUnixMs + 1 }))
          yield* queue.enqueue(event("second", { acceptedAtUnixMs: acceptedAtUnixMs + 2 }))
          yield* queue.enqueue(event("future", { acceptedAtUnixMs: now + 1 }))
          yield* queue.enqueue(event("stranger", { functionName: other }))
          assert.deepStrictEqual(idsOf(yield* queue.claim(hello, 2, now)), ["first", "second"])
          assert.deepStrictEqual(idsOf(yield* queue.claim(hello, 10, now)), ["third"])
          assert.deepStrictEqual(idsOf(yield* queue.claim(hello, 10, now + 1)), ["future"])
          assert.deepStrictEqual(idsOf(yield* queue.claim(other, 10, now)), ["stranger"])
        })
    )

    promises("events that are due at the same time are claimed in the order of their acceptance", (queue) =>
      Effect.gen(function* () {
        const ids = Array.from({ length: 30 }, (_, index) => `event-${29 - index}`)
        yield* Effect.forEach(ids, (id) => queue.enqueue(event(id)))
        assert.deepStrictEqual(idsOf(yield* claimAll), ids)
      })
    )

    promises("no event is claimed twice, however many claim at once", (queue) =>
      Effect.gen(function* () {
        const ids = Array.from({ length: 100 }, (_, index) => `event-${index}`)
        yield* Effect.forEach(ids, (id) => queue.enqueue(event(id)), { concurrency: "unbounded" })
        const claims = yield* Effect.all(
          Array.from({ length: 20 }, () => queue.claim(hello, 7, now)),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(idsOf(claims.flat()).toSorted(), ids.toSorted())
      })
    )

    promises("a settled event is gone and settling it again changes nothing", (queue) =>
      Effect.gen(function* () {
        yield* queue.enqueue(event("a"))
        yield* claimAll
        yield* queue.settle("a", { _tag: "Done" })
        yield* queue.settle("a", later("failure", now))
        yield* queue.settle("a", failed("too late"))
        assert.deepStrictEqual(yield* queue.list(10), [])
      })
    )

    promises("an event that nobody claimed cannot be settled", (queue) =>
      Effect.gen(function* () {
        yield* queue.enqueue(event("a"))
        yield* queue.settle("a", { _tag: "Done" })
        yield* queue.settle("a", failed("never ran"))
        assert.deepStrictEqual(idsOf(yield* claimAll), ["a"])
      })
    )

    promises("a postponed event is due later and remembers failures and postponements apart", (queue) =>
      Effect.gen(function* () {
        yield* queue.enqueue(event("a"))
        for (const cause of ["failure", "postponement", "failure"] as const) {
          yield* claimAll
          yield* queue.settle("a", later(cause, now + 60_000))
        }
        assert.deepStrictEqual(yield* queue.claim(hello, 10, now + 59_999), [])
        const [claimed] = yield* queue.claim(hello, 10, now + 60_000)
        assert.deepInclude(claimed, { id: "a", failures: 2, postponements: 1, crashes: 0 })
      })
    )

    promises("an event that is due within a millisecond is due at its end", (queue) =>
      Effect.gen(function* () {
        yield* queue.enqueue(event("a", { acceptedAtUnixMs: acceptedAtUnixMs + 0.25 }))
        assert.deepStrictEqual(yield* queue.claim(hello, 10, acceptedAtUnixMs + 0.5), [])
        assert.deepStrictEqual(idsOf(yield* queue.claim(hello, 10, acceptedAtUnixMs + 1.5)), ["a"])
        yield* queue.settle("a", later("failure", now + 60_000.5))
        assert.deepStrictEqual(yield* queue.claim(hello, 10, now + 60_000.9), [])
        assert.deepStrictEqual(idsOf(yield* queue.claim(hello, 10, now + 60_001)), ["a"])
      })
    )

    promises("due tells of each function with ready events when the earliest is due", (queue) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* queue.due, [])
        yield* queue.enqueue(event("a", { acceptedAtUnixMs: 30 }))
        yield* queue.enqueue(event("b", { acceptedAtUnixMs: 20 }))
        yield* queue.enqueue(event("c", { acceptedAtUnixMs: 10, functionName: other }))
        yield* queue.enqueue(event("d", { acceptedAtUnixMs: 5, functionName: "idle" as FunctionName }))
        yield* queue.claim("idle" as FunctionName, 1, now)
        const due = yield* queue.due
        assert.deepStrictEqual(
          due.toSorted((one, another) => one.dueAtUnixMs - another.dueAtUnixMs),
          [
            { functionName: other, dueAtUnixMs: 10 },
            { functionName: hello, dueAtUnixMs: 20 }
          ]
        )
      })
    )

    promises("list shows the newest events first, with state and reason, and without the older ones", (queue) =>
      Effect.gen(function* () {
        for (const id of ["oldest", "given-up", "running", "ready"]) yield* queue.enqueue(event(id))
        yield* queue.claim(hello, 3, now)
        yield* queue.settle("given-up", failed("Unhandled"))
        const common = { functionName: hello, acceptedAtUnixMs, dueAtUnixMs: acceptedAtUnixMs, failures: 0, crashes: 0 }
        assert.deepStrictEqual(yield* queue.list(3), [
          { ...common, id: "ready", state: "ready", reason: undefined },
          { ...common, id: "running", state: "running", reason: undefined },
          { ...common, id: "given-up", state: "failed", reason: "Unhandled" }
        ])
      })
    )

    promises("after a crash a running event is ready again, and failed after the fifth crash", (queue) =>
      Effect.gen(function* () {
        yield* queue.enqueue(event("a"))
        yield* queue.enqueue(event("idle", { functionName: other }))
        for (const crashes of [0, 1, 2, 3, 4]) {
          const [claimed] = yield* claimAll
          assert.deepInclude(claimed, { id: "a", crashes })
          assert.strictEqual(yield* queue.recover, 1)
        }
        assert.deepStrictEqual(yield* claimAll, [])
        const events = yield* queue.list(10)
        assert.deepInclude(events[1], { id: "a", state: "failed", crashes: 5, reason: "five crashes" })
        assert.deepInclude(events[0], { id: "idle", state: "ready", crashes: 0 })
        assert.strictEqual(yield* queue.recover, 0)
      })
    )

    promises(
      "the same event again is accepted and is not a second one, even in a full queue",
      (queue) =>
        Effect.gen(function* () {
          yield* queue.enqueue(event("a"))
          yield* queue.enqueue(event("a"))
          assert.deepStrictEqual(idsOf(yield* claimAll), ["a"])
          yield* queue.enqueue(event("a"))
          assert.deepStrictEqual(yield* claimAll, [])
        }),
      { maxEvents: 1 }
    )

    promises("another event under a stored id is refused by name and leaves the first as it is", (queue) =>
      Effect.gen(function* () {
        yield* queue.enqueue(event("a"))
        const refusal = yield* Effect.flip(queue.enqueue(event("a", { payload: new Uint8Array(3) })))
        assert.strictEqual(refusal._tag, "StorageUnavailable")
        assert.include(refusal.message, "another event is stored under the id a")
        const claimed = yield* claimAll
        assert.deepStrictEqual(
          claimed.map(({ payload }) => payload),
          [event("a").payload]
        )
      })
    )

    promises(
      "a full queue refuses one event more until one is settled",
      (queue) =>
        Effect.gen(function* () {
          for (const id of ["a", "b"]) yield* queue.enqueue(event(id))
          yield* queue.claim(hello, 1, now)
          const refusal = yield* Effect.flip(queue.enqueue(event("c")))
          assert.deepInclude(refusal, { _tag: "QueueFull", limit: 2 })
          yield* queue.settle("a", { _tag: "Done" })
          yield* queue.enqueue(event("c"))
          assert.deepStrictEqual(idsOf(yield* queue.list(10)), ["c", "b"])
        }),
      { maxEvents: 2 }
    )

    promises(
      "of many events at once a queue takes as many as there is room for, and says so to each",
      (queue) =>
        Effect.gen(function* () {
          const ids = Array.from({ length: 50 }, (_, index) => `event-${index}`)
          const outcomes = yield* Effect.forEach(ids, (id) => Effect.result(queue.enqueue(event(id))), {
            concurrency: "unbounded"
          })
          const accepted = ids.filter((_, index) => outcomes[index]?._tag === "Success")
          assert.strictEqual(accepted.length, 20)
          assert.deepStrictEqual(idsOf(yield* claimAll).toSorted(), accepted.toSorted())
        }),
      { maxEvents: 20 }
    )

    promises(
      "payload bytes fill a queue as well",
      (queue) =>
        Effect.gen(function* () {
          yield* queue.enqueue(event("a", { payload: new Uint8Array(600) }))
          const refusal = yield* Effect.flip(queue.enqueue(event("b", { payload: new Uint8Array(401) })))
          assert.deepInclude(refusal, { _tag: "QueueFull", limit: 1_000 })
          yield* queue.enqueue(event("c", { payload: new Uint8Array(400) }))
        }),
      { maxBytes: 1_000 }
    )

    promises(
      "failed events take no room from others, and the oldest of them are forgotten",
      (queue) =>
        Effect.gen(function* () {
          for (const id of ["a", "b", "c"]) {
            yield* queue.enqueue(event(id))
            yield* claimAll
            yield* queue.settle(id, failed("Unhandled"))
          }
          yield* queue.enqueue(event("d"))
          assert.deepStrictEqual(idsOf(yield* queue.list(10)), ["d", "c", "b"])
        }),
      { maxEvents: 1, maxFailedEvents: 2 }
    )

    promises(
      "failed events are forgotten when their payloads or their age are too much",
      (queue) =>
        Effect.gen(function* () {
          for (const id of ["a", "b"]) {
            yield* queue.enqueue(event(id, { payload: new Uint8Array(600) }))
            yield* claimAll
            yield* queue.settle(id, failed("Unhandled"))
          }
          assert.deepStrictEqual(idsOf(yield* queue.list(10)), ["b"])
          yield* Effect.sleep("120 millis")
          yield* queue.enqueue(event("c"))
          yield* claimAll
          yield* queue.settle("c", failed("Unhandled"))
          assert.deepStrictEqual(idsOf(yield* queue.list(10)), ["c"])
        }),
      { maxFailedBytes: 1_000, maxFailedAgeMs: 100 }
    )

    promises("a failed event can be started anew, or dropped; any other event cannot", (queue) =>
      Effect.gen(function* () {
        for (const id of ["a", "b"]) yield* queue.enqueue(event(id))
        yield* claimAll
        assert.strictEqual(yield* queue.retry("a", now), false)
        assert.strictEqual(yield* queue.drop("a"), false)
        for (const id of ["a", "b"]) yield* queue.settle(id, failed("Unhandled"))
        assert.strictEqual(yield* queue.retry("a", now), true)
        assert.strictEqual(yield* queue.drop("b"), true)
        assert.strictEqual(yield* queue.drop("b"), false)
        const [claimed] = yield* queue.claim(hello, 10, now)
        assert.deepInclude(claimed, { id: "a", acceptedAtUnixMs: now, failures: 0, crashes: 0 })
        assert.strictEqual((yield* queue.list(10)).length, 1)
      })
    )

    promises(
      "a failed event is not started anew in a full queue",
      (queue) =>
        Effect.gen(function* () {
          yield* queue.enqueue(event("a"))
          yield* claimAll
          yield* queue.settle("a", failed("Unhandled"))
          yield* queue.enqueue(event("b"))
          const refusal = yield* Effect.flip(queue.retry("a", now))
          assert.deepInclude(refusal, { _tag: "QueueFull", limit: 1 })
          assert.deepInclude((yield* queue.list(10))[1], { id: "a", state: "failed" })
        }),
      { maxEvents: 1 }
    )

    promises("a claim that is interrupted takes nothing", (queue) =>
      Effect.gen(function* () {
        yield* queue.enqueue(event("a"))
        const claiming = yield* Effect.forkChild(queue.claim(hello, 10, now), { startImmediately: true })
        yield* Fiber.interrupt(claiming)
        const received = yield* Fiber.await(claiming)
        // A claim that was quicker than its interruption belongs to whoever reads the fiber; otherwise it is put back.
        const kept = received._tag === "Success" ? idsOf(received.value) : []
        const again = yield* claimAll.pipe(
          Effect.repeat({ until: (events) => events.length + kept.length > 0, times: 100 })
        )
        assert.deepStrictEqual([...kept, ...idsOf(again)], ["a"])
      })
    )
  })
