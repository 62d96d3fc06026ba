/**
 * What the main thread and the SQLite thread say to each other. Both are built from this file, so nothing is decoded.
 * Types only: the thread starts in a moment because it loads nothing but SQLite and its own few files.
 */
import type { AsyncEvent, ClaimedEvent, EventSummary } from "#domain/AsyncEvent"
import type { FunctionName } from "#domain/FunctionName"
import type { LogQuery, LogRecord, StoredLogRecord } from "#domain/LogRecord"
import type { EventQueueLimits, Settlement } from "#services/EventQueue"
import type { LogRetention } from "#services/LogSink"

export interface EventStoreOptions {
  readonly path: string
  readonly limits: EventQueueLimits
  /** The file does not grow beyond this. */
  readonly maxFileBytes: number | undefined
  /**
   * After a restart of the thread: the events somebody still works on. Every other `running` one was claimed for a
   * caller who never received it, and is `ready` again. Absent at the start, when `recover` decides.
   */
  readonly held: ReadonlyArray<string> | undefined
  /** An event during which a Gateway died this often is `failed`, with this reason. */
  readonly maxCrashes: number
  readonly crashedReason: string
}

export interface LogStoreOptions {
  readonly path: string
  readonly retention: LogRetention
  readonly maxFileBytes: number | undefined
}

/** Nothing when the event is stored, else the limit that it would break. */
export type Verdict = number | undefined

interface EventOperations {
  readonly openEvents: { readonly ask: EventStoreOptions; readonly answer: void }
  readonly enqueue: { readonly ask: AsyncEvent; readonly answer: Verdict }
  readonly claim: {
    readonly ask: { readonly functionName: FunctionName; readonly limit: number; readonly nowUnixMs: number }
    readonly answer: ReadonlyArray<ClaimedEvent>
  }
  /** Puts back what was claimed for a caller who is gone. */
  readonly release: { readonly ask: ReadonlyArray<string>; readonly answer: void }
  readonly settle: { readonly ask: { readonly id: string; readonly settlement: Settlement }; readonly answer: void }
  readonly recover: { readonly ask: undefined; readonly answer: number }
  readonly due: {
    readonly ask: undefined
    readonly answer: ReadonlyArray<{ readonly functionName: FunctionName; readonly dueAtUnixMs: number }>
  }
  readonly list: { readonly ask: { readonly limit: number }; readonly answer: ReadonlyArray<EventSummary> }
  readonly retry: {
    readonly ask: { readonly id: string; readonly nowUnixMs: number }
    readonly answer: { readonly found: boolean; readonly verdict: Verdict }
  }
  readonly drop: { readonly ask: { readonly id: string }; readonly answer: boolean }
}

interface LogOperations {
  readonly openLogs: { readonly ask: LogStoreOptions; readonly answer: void }
  readonly append: { readonly ask: ReadonlyArray<LogRecord>; readonly answer: void }
  readonly query: {
    readonly ask: LogQuery & { readonly maxCharacters: number }
    readonly answer: ReadonlyArray<StoredLogRecord>
  }
}

export type Operations = EventOperations & LogOperations
export type Operation = keyof Operations
export type Ask<K extends Operation> = Operations[K]["ask"]
export type Reply<K extends Operation> = Operations[K]["answer"]

/** What a store can be asked, by name. */
export type Handlers<K extends Operation> = { readonly [N in K]: (ask: Ask<N>) => Reply<N> }
export type EventOperation = Exclude<keyof EventOperations, "openEvents">
export type LogOperation = Exclude<keyof LogOperations, "openLogs">

export type RequestOf<K extends Operation> = {
  readonly [N in K]: { readonly number: number; readonly operation: N; readonly ask: Ask<N> }
}[K]
export type Request = RequestOf<Operation>

/** Requests in the order they were made, or the wish to finish them all, close the files and end. */
export type ToThread = ReadonlyArray<Request> | "close"

/** `detail` names the file. */
export interface ThreadFailure {
  readonly detail: string
  readonly cause: unknown
}

export type Answer =
  | { readonly number: number; readonly value: unknown }
  | { readonly number: number; readonly failure: ThreadFailure }

export type FromThread = ReadonlyArray<Answer>
