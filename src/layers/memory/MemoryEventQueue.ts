/** The queue of accepted events in memory: the same promises, except that it ends with its process. */
import { Clock, Effect, Layer } from "effect"
import type { AsyncEvent, ClaimedEvent, EventState, EventSummary } from "#domain/AsyncEvent"
import { QueueFull, StorageUnavailable } from "#domain/Failure"
import type { FunctionName } from "#domain/FunctionName"
import {
  crashedReason,
  defaultLimits,
  EventQueue,
  type EventQueueLimits,
  maxCrashes,
  type Settlement
} from "#services/EventQueue"

interface Entry {
  readonly event: ClaimedEvent
  readonly state: EventState
  readonly dueAtUnixMs: number
  readonly failedAtUnixMs: number
  readonly reason: string | undefined
}

export const layer = (limits: Partial<EventQueueLimits> = {}) =>
  Layer.effect(
    EventQueue,
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const shelf = new Shelf({ ...defaultLimits, ...limits }, () => clock.currentTimeMillisUnsafe())
      return EventQueue.of({
        enqueue: (event) => Effect.suspend(() => shelf.enqueue(event)),
        claim: (functionName, limit, nowUnixMs) => Effect.sync(() => shelf.claim(functionName, limit, nowUnixMs)),
        settle: (id, settlement) => Effect.sync(() => shelf.settle(id, settlement)),
        recover: Effect.sync(() => shelf.recover()),
        due: Effect.sync(() => shelf.due()),
        list: (limit) => Effect.sync(() => shelf.list(limit)),
        retry: (id, nowUnixMs) => Effect.suspend(() => shelf.retry(id, nowUnixMs)),
        drop: (id) => Effect.sync(() => shelf.drop(id))
      })
    })
  )

/** Events in the order of their acceptance. */
class Shelf {
  private readonly entries = new Map<string, Entry>()
  /** What is `ready` or `running`. */
  private owedEvents = 0
  private owedBytes = 0
  private readonly limits: EventQueueLimits
  private readonly now: () => number

  constructor(limits: EventQueueLimits, now: () => number) {
    this.limits = limits
    this.now = now
  }

  enqueue(event: AsyncEvent): Effect.Effect<void, QueueFull | StorageUnavailable> {
    const known = this.entries.get(event.id)?.event
    if (known !== undefined) {
      if (isSame(known, event)) return Effect.void
      return Effect.fail(new StorageUnavailable({ detail: `another event is stored under the id ${event.id}` }))
    }
    const limit = this.limitReachedBy(event.payload.byteLength)
    if (limit !== undefined) return Effect.fail(new QueueFull({ limit }))
    const acceptedAtUnixMs = Math.ceil(event.acceptedAtUnixMs)
    const payload = new Uint8Array(event.payload)
    this.put({
      event: { ...event, acceptedAtUnixMs, payload, failures: 0, postponements: 0, crashes: 0 },
      state: "ready",
      dueAtUnixMs: acceptedAtUnixMs,
      failedAtUnixMs: 0,
      reason: undefined
    })
    return Effect.void
  }

  claim(functionName: FunctionName, limit: number, nowUnixMs: number): ReadonlyArray<ClaimedEvent> {
    const claimed = this.inState("ready")
      .filter(({ event, dueAtUnixMs }) => event.functionName === functionName && dueAtUnixMs <= nowUnixMs)
      .toSorted((one, other) => one.dueAtUnixMs - other.dueAtUnixMs)
      .slice(0, limit)
    for (const entry of claimed) this.put({ ...entry, state: "running" })
    // Its own bytes, so that what a caller does to them stays with the caller.
    return claimed.map(({ event }) => ({ ...event, payload: new Uint8Array(event.payload) }))
  }

  settle(id: string, settlement: Settlement) {
    const entry = this.entries.get(id)
    if (entry?.state !== "running") return
    switch (settlement._tag) {
      case "Done":
        return this.remove(entry)
      case "Later": {
        const { cause, reason } = settlement
        const dueAtUnixMs = Math.ceil(settlement.dueAtUnixMs)
        const failures = entry.event.failures + (cause === "failure" ? 1 : 0)
        const postponements = entry.event.postponements + (cause === "postponement" ? 1 : 0)
        return this.put({
          ...entry,
          state: "ready",
          event: { ...entry.event, failures, postponements },
          dueAtUnixMs,
          reason
        })
      }
      case "Failed":
        return this.fail(entry, settlement.reason)
    }
  }

  recover(): number {
    const running = this.inState("running")
    for (const entry of running) {
      const event = { ...entry.event, crashes: entry.event.crashes + 1 }
      if (event.crashes >= maxCrashes) this.fail({ ...entry, event }, crashedReason)
      else this.put({ ...entry, event, state: "ready" })
    }
    return running.length
  }

  due() {
    const earliest = new Map<FunctionName, number>()
    for (const { event, dueAtUnixMs } of this.inState("ready")) {
      earliest.set(event.functionName, Math.min(dueAtUnixMs, earliest.get(event.functionName) ?? Infinity))
    }
    return [...earliest].map(([functionName, dueAtUnixMs]) => ({ functionName, dueAtUnixMs }))
  }

  list(limit: number): ReadonlyArray<EventSummary> {
    return [...this.entries.values()]
      .toReversed()
      .slice(0, limit)
      .map(({ event: { id, functionName, acceptedAtUnixMs, failures, crashes }, state, dueAtUnixMs, reason }) => ({
        id,
        functionName,
        state,
        acceptedAtUnixMs,
        dueAtUnixMs,
        failures,
        crashes,
        reason
      }))
  }

  retry(id: string, nowUnixMs: number): Effect.Effect<boolean, QueueFull> {
    const entry = this.entries.get(id)
    if (entry?.state !== "failed") return Effect.succeed(false)
    const limit = this.limitReachedBy(entry.event.payload.byteLength)
    if (limit !== undefined) return Effect.fail(new QueueFull({ limit }))
    const dueAtUnixMs = Math.ceil(nowUnixMs)
    const event = { ...entry.event, acceptedAtUnixMs: dueAtUnixMs, failures: 0, postponements: 0, crashes: 0 }
    this.put({ event, state: "ready", dueAtUnixMs, failedAtUnixMs: 0, reason: undefined })
    return Effect.succeed(true)
  }

  drop(id: string): boolean {
    const entry = this.entries.get(id)
    if (entry?.state !== "failed") return false
    this.remove(entry)
    return true
  }

  private inState(state: EventState): ReadonlyArray<Entry> {
    return [...this.entries.values()].filter((entry) => entry.state === state)
  }

  private put(entry: Entry) {
    this.weigh(this.entries.get(entry.event.id), -1)
    this.weigh(entry, 1)
    this.entries.set(entry.event.id, entry)
  }

  private remove(entry: Entry) {
    this.weigh(entry, -1)
    this.entries.delete(entry.event.id)
  }

  private weigh(entry: Entry | undefined, sign: 1 | -1) {
    if (entry === undefined || entry.state === "failed") return
    this.owedEvents += sign
    this.owedBytes += sign * entry.event.payload.byteLength
  }

  private limitReachedBy(bytes: number): number | undefined {
    if (this.owedEvents >= this.limits.maxEvents) return this.limits.maxEvents
    return this.owedBytes + bytes > this.limits.maxBytes ? this.limits.maxBytes : undefined
  }

  private fail(entry: Entry, reason: string) {
    this.put({ ...entry, state: "failed", failedAtUnixMs: this.now(), reason })
    const { maxFailedEvents, maxFailedBytes, maxFailedAgeMs } = this.limits
    const failed = this.inState("failed").toSorted((one, other) => one.failedAtUnixMs - other.failedAtUnixMs)
    let [events, bytes] = [failed.length, bytesOf(failed)]
    for (const oldest of failed) {
      const isTooMuch = events > maxFailedEvents || bytes > maxFailedBytes
      if (!isTooMuch && oldest.failedAtUnixMs >= this.now() - maxFailedAgeMs) return
      this.remove(oldest)
      events--
      bytes -= oldest.event.payload.byteLength
    }
  }
}

const bytesOf = (entries: ReadonlyArray<Entry>) =>
  entries.reduce((bytes, { event }) => bytes + event.payload.byteLength, 0)

const isSame = (known: AsyncEvent, event: AsyncEvent): boolean =>
  known.functionName === event.functionName &&
  known.invokedArn === event.invokedArn &&
  known.clientContext === event.clientContext &&
  known.payload.length === event.payload.length &&
  known.payload.every((byte, index) => byte === event.payload[index])
