/** A log sink that keeps what it is told, for tests that look at it. */
import { Effect, Layer } from "effect"
import type { LogRecord } from "#domain/LogRecord"
import { LogSink } from "#services/LogSink"

export interface RecordedLog {
  readonly records: Array<LogRecord>
  readonly layer: Layer.Layer<LogSink>
}

export const make = (): RecordedLog => {
  const records: Array<LogRecord> = []
  const layer = Layer.succeed(
    LogSink,
    LogSink.of({
      write: (record) => void records.push(record),
      query: ({ limit }) =>
        Effect.sync(() => records.slice(-limit).map((record, index) => ({ ...record, position: index + 1 }))),
      dropped: () => 0
    })
  )
  return { records, layer }
}
