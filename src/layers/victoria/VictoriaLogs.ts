/**
 * Hands what is told on to VictoriaLogs, besides the log that the program keeps itself: log records, and the operations of
 * traces. Whatever becomes of the store, the program goes on as if there were none; a planned stop waits for it, within limits.
 */
import { Context, Effect, Layer, Redacted } from "effect"
import type { LogRecord } from "#domain/LogRecord"
import type { OwnerId } from "#domain/Worker"
import { LogSink } from "#services/LogSink"
import { SpanSink } from "#services/SpanSink"
import * as Losses from "./Losses.ts"
import * as RecordLine from "./RecordLine.ts"
import { defaultLimits, type ShipLimits } from "./ShipLimits.ts"
import * as Shipper from "./Shipper.ts"
import * as SpanLine from "./SpanLine.ts"
import * as Store from "./Store.ts"

export interface Options extends RecordLine.Origin {
  /** Of the store; it may carry a user and a password. */
  readonly url: Redacted.Redacted
  /** An Agent's workers are told of by their Gateway. */
  readonly records: "all" | "own"
  readonly limits?: Partial<ShipLimits>
}

/** `trace_id` is no stream field: every trace would be a stream of its own. */
const ingestion: Store.Door = {
  path: "/insert/jsonline?_stream_fields=container_name,job&_msg_field=message&_time_field=_time",
  // A form would be read as parameters.
  contentType: "application/stream+json",
  body: (lines) => `${lines.join("\n")}\n`
}

export const layer = (options: Options): Layer.Layer<LogSink | SpanSink, never, LogSink> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const local = yield* LogSink
      const limits = { ...defaultLimits, ...options.limits }
      const lineOf = (record: LogRecord): string => RecordLine.of(record, options, limits.lineBytes)
      const shipper = yield* Shipper.make({
        name: "victorialogs",
        store: yield* Store.open(Redacted.value(options.url), ingestion, limits),
        limits,
        tell: (loss) => {
          const record = Losses.record("VictoriaLogs", loss)
          local.write(record)
          return lineOf(record)
        }
      })
      const isShipped = (owner: OwnerId | undefined): boolean => options.records === "all" || owner === undefined
      return Context.make(LogSink, {
        write: (record, owner) => {
          local.write(record, owner)
          if (isShipped(owner)) shipper.ship(lineOf(record))
        },
        query: local.query,
        dropped: local.dropped
      }).pipe(Context.add(SpanSink, { write: (span) => shipper.ship(SpanLine.of(span, options.containerName)) }))
    })
  )
