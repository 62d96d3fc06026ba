/** Where log lines go and where they are found again. */
import { Context, type Effect } from "effect"
import type { StorageUnavailable } from "#domain/Failure"
import type { LogQuery, LogRecord, StoredLogRecord } from "#domain/LogRecord"

export class LogSink extends Context.Service<
  LogSink,
  {
    /** Never blocks and never fails: what the store cannot take in time is dropped, counted, and told in the log itself. */
    readonly write: (record: LogRecord) => void
    /** Lines in order of their writing. Sees everything written before the call. */
    readonly query: (query: LogQuery) => Effect.Effect<ReadonlyArray<StoredLogRecord>, StorageUnavailable>
    /** How many lines were dropped since the start. */
    readonly dropped: () => number
  }
>()("esb/services/LogSink") {}
