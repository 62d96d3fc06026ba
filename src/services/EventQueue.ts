/** Events accepted with 202, kept until they have run. */
import { Context, type Effect } from "effect"
import type { AsyncEvent, ClaimedEvent, EventSummary } from "#domain/AsyncEvent"
import type { Later } from "#domain/EventOutcome"
import type { QueueFull, StorageUnavailable } from "#domain/Failure"
import type { FunctionName } from "#domain/FunctionName"

/** What became of a claimed event. */
export type Settlement =
  | { readonly _tag: "Done" }
  /** Back to `ready`. */
  | Later
  /** Given up: kept as `failed`. */
  | { readonly _tag: "Failed"; readonly reason: string }

/** How much a queue holds. Events that are `ready` or `running` and events that are `failed` are counted apart. */
export interface EventQueueLimits {
  /** `ready` and `running` events together; one more is refused with `QueueFull`. */
  readonly maxEvents: number
  /** Payload bytes of those events. */
  readonly maxBytes: number
  /** `failed` events kept for a person to look at; the oldest make room for newer ones. */
  readonly maxFailedEvents: number
  /** Payload bytes of those events. */
  readonly maxFailedBytes: number
  /** A `failed` event older than this is forgotten. */
  readonly maxFailedAgeMs: number
}

export const defaultLimits: EventQueueLimits = {
  maxEvents: 100_000,
  maxBytes: 1024 ** 3,
  maxFailedEvents: 10_000,
  maxFailedBytes: 1024 ** 3,
  maxFailedAgeMs: 7 * 24 * 3_600_000
}

/** An event during which a Gateway died this often is `failed` with {@link crashedReason}. */
export const maxCrashes = 5
export const crashedReason = "five crashes"

/**
 * Durable: an event is on disk when `enqueue` returns and stays until `settle` says `Done`. Times are kept in whole
 * milliseconds; what is due within one is due at its end. A method that is
 * interrupted, or that fails because an answer is late, may have done its work all the same, except `claim`: what
 * nobody received is `ready` again.
 */
export class EventQueue extends Context.Service<
  EventQueue,
  {
    /**
     * On disk when this returns; due at once. Events of one commit interval (≤ 2 ms) share one flush to the disk. The
     * same event again, while it is stored, is accepted and changes nothing; another event under a stored id is refused
     * with `StorageUnavailable`. The payload is copied.
     */
    readonly enqueue: (event: AsyncEvent) => Effect.Effect<void, QueueFull | StorageUnavailable>
    /**
     * Takes up to `limit` due events of one function, those due first before the others and, among equals, in the order
     * of their acceptance; they are `running` until settled.
     */
    readonly claim: (
      functionName: FunctionName,
      limit: number,
      nowUnixMs: number
    ) => Effect.Effect<ReadonlyArray<ClaimedEvent>, StorageUnavailable>
    /** On disk when this returns. An event that is not `running` is left as it is. */
    readonly settle: (id: string, settlement: Settlement) => Effect.Effect<void, StorageUnavailable>
    /**
     * After a crash, before the first claim: `running` events are `ready` again with one crash more, or `failed` after
     * the fifth. Returns how many were running.
     */
    readonly recover: Effect.Effect<number, StorageUnavailable>
    /** For each function with events that are `ready`: when the earliest is due. */
    readonly due: Effect.Effect<
      ReadonlyArray<{ readonly functionName: FunctionName; readonly dueAtUnixMs: number }>,
      StorageUnavailable
    >
    /** The newest `limit` events, newest first. */
    readonly list: (limit: number) => Effect.Effect<ReadonlyArray<EventSummary>, StorageUnavailable>
    /**
     * A `failed` event starts anew: `ready` and due at `nowUnixMs`, accepted at that time, its counters at zero. False
     * when no failed event has this id.
     */
    readonly retry: (id: string, nowUnixMs: number) => Effect.Effect<boolean, QueueFull | StorageUnavailable>
    /** Forgets a `failed` event. False when no failed event has this id. */
    readonly drop: (id: string) => Effect.Effect<boolean, StorageUnavailable>
  }
>()("esb/services/EventQueue") {}
