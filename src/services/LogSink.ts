/** Where log lines go and where they are found again. */
import { Context, type Effect } from "effect"
import type { StorageUnavailable } from "#domain/Failure"
import type { LogQuery, LogRecord, StoredLogRecord } from "#domain/LogRecord"
import type { OwnerId } from "#domain/Worker"

/** How much of the past is kept; the oldest lines leave first, in small steps. */
export interface LogRetention {
  /** Space that lines and their indexes may take. */
  readonly maxBytes: number
  readonly maxLines: number
  /** By the time a line tells of itself. */
  readonly maxAgeMs: number
}

export const defaultRetention: LogRetention = {
  maxBytes: 512 * 1024 ** 2,
  maxLines: 5_000_000,
  maxAgeMs: 7 * 24 * 3_600_000
}

/** One query returns the newest lines within these, whatever its `limit`, and always the newest one. */
export const maxQueriedLines = 10_000
export const maxQueriedCharacters = 16 * 1024 ** 2

export class LogSink extends Context.Service<
  LogSink,
  {
    /**
     * Never blocks and never fails: what the store cannot take in time is dropped, counted, and told in the log itself.
     * Times are kept in whole milliseconds; text that is not well-formed Unicode with U+FFFD in its place. `owner` is whose
     * worker wrote the line: a sink that serves several hands it to nobody else.
     */
    readonly write: (record: LogRecord, owner?: OwnerId) => void
    /** Lines in order of their writing. Sees everything written before the call. */
    readonly query: (query: LogQuery) => Effect.Effect<ReadonlyArray<StoredLogRecord>, StorageUnavailable>
    /** How many lines were dropped since the start. */
    readonly dropped: () => number
  }
>()("esb/services/LogSink") {}
