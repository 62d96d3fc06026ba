/** Events accepted with 202, kept until they have run. */
import { Context, type Effect } from "effect"
import type { AsyncEvent, ClaimedEvent, EventSummary } from "#domain/AsyncEvent"
import type { QueueFull, StorageUnavailable } from "#domain/Failure"
import type { FunctionName } from "#domain/FunctionName"

/** What became of a claimed event. */
export type Settlement =
  | { readonly _tag: "Done" }
  /** Back to `ready`, due later. `cause` says which of the event's counters grows. */
  | {
    readonly _tag: "Later"
    readonly cause: "failure" | "postponement"
    readonly dueAtUnixMs: number
    readonly reason: string
  }
  /** Given up: kept as `failed`. */
  | { readonly _tag: "Failed"; readonly reason: string }

/** Durable: an event is on disk when `enqueue` returns and stays until `settle` says `Done`. */
export class EventQueue extends Context.Service<
  EventQueue,
  {
    /** On disk when this returns; due at once. Events of one commit interval (≤ 2 ms) share one `fdatasync`. */
    readonly enqueue: (event: AsyncEvent) => Effect.Effect<void, QueueFull | StorageUnavailable>
    /** Takes up to `limit` due events of one function, oldest first; they are `running` until settled. */
    readonly claim: (
      functionName: FunctionName,
      limit: number,
      nowUnixMs: number
    ) => Effect.Effect<ReadonlyArray<ClaimedEvent>, StorageUnavailable>
    readonly settle: (id: string, settlement: Settlement) => Effect.Effect<void, StorageUnavailable>
    /** After a crash: `running` events are `ready` again with one crash more, or `failed` after the fifth. Returns how many were running. */
    readonly recover: Effect.Effect<number, StorageUnavailable>
    /** For each function with events that are `ready`: when the earliest is due. */
    readonly due: Effect.Effect<ReadonlyArray<{ readonly functionName: FunctionName; readonly dueAtUnixMs: number }>, StorageUnavailable>
    /** The newest `limit` events, newest first. */
    readonly list: (limit: number) => Effect.Effect<ReadonlyArray<EventSummary>, StorageUnavailable>
  }
>()("esb/services/EventQueue") {}
