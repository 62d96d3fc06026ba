/**
 * Hands finished operations on to VictoriaTraces, or whatever else takes OpenTelemetry's protocol by HTTP, besides where they
 * go already. What does not arrive is told in the program's log.
 */
import { Effect, Layer, Redacted } from "effect"
import { LogSink } from "#services/LogSink"
import { SpanSink } from "#services/SpanSink"
import * as Losses from "./Losses.ts"
import * as OtlpSpan from "./OtlpSpan.ts"
import { defaultLimits, type ShipLimits } from "./ShipLimits.ts"
import * as Shipper from "./Shipper.ts"
import * as Store from "./Store.ts"

export interface Options {
  /** Of the store; it may carry a user and a password. */
  readonly url: Redacted.Redacted
  /** Whose operations they are: `esb-gateway` */
  readonly service: string
  readonly limits?: Partial<ShipLimits>
}

const ingestion = (service: string): Store.Door => ({
  path: "/insert/opentelemetry/v1/traces",
  contentType: "application/json",
  body: (spans) => OtlpSpan.request(service, spans)
})

export const layer = (options: Options): Layer.Layer<SpanSink, never, LogSink | SpanSink> =>
  Layer.effect(
    SpanSink,
    Effect.gen(function* () {
      const log = yield* LogSink
      const others = yield* SpanSink
      const limits = { ...defaultLimits, ...options.limits }
      const shipper = yield* Shipper.make({
        name: "victoriatraces",
        store: yield* Store.open(Redacted.value(options.url), ingestion(options.service), limits),
        limits,
        tell: (loss) => {
          log.write(Losses.record("VictoriaTraces", loss))
          return undefined
        }
      })
      return {
        write: (span) => {
          others.write(span)
          shipper.ship(OtlpSpan.of(span))
        }
      }
    })
  )
