/** Where a program's log and the operations of its calls are told besides the program itself: which stores, if any. */
import { Layer, Redacted } from "effect"
import * as NoTracing from "#layers/telemetry/NoTracing"
import * as SampledTracing from "#layers/telemetry/SampledTracing"
import type { Origin } from "#layers/victoria/RecordLine"
import * as VictoriaLogs from "#layers/victoria/VictoriaLogs"
import { LogSink } from "#services/LogSink"
import type { Tracing } from "#services/Tracing"
import * as Setting from "./Setting.ts"

/** @param env variables that name the store, the first one set counts */
export const settings = (env: Setting.Names) =>
  Setting.group("VictoriaLogs", {
    victoriaLogsUrl: Setting.optional(Setting.HttpUrl)(
      env,
      "Store that records and traces are sent to as well",
      "http://VICTORIALOGS_HOST:VICTORIALOGS_PORT where a host is given, else none"
    ),
    victoriaLogsHost: Setting.optional(Setting.Text)("VICTORIALOGS_HOST", "Its host, in place of a URL", "none"),
    victoriaLogsPort: Setting.Port("VICTORIALOGS_PORT", "Its port, where a host is given", 9428),
    disableVictoriaLogs: Setting.Flag("DISABLE_VICTORIALOGS", "Send nothing, whatever the lines above say", false),
    traceSampleRate: Setting.Share(
      "TRACE_SAMPLE_RATE",
      "Share of the traces that begin here, 0 to 1, whose operations are sent too; Sampled=1 or 0 of a caller wins",
      0.05
    )
  })

export type SightSettings = Setting.Values<ReturnType<typeof settings>>

const urlOf = (values: SightSettings): string | undefined => {
  if (values.disableVictoriaLogs) return undefined
  const { victoriaLogsHost: host, victoriaLogsPort: port } = values
  return values.victoriaLogsUrl ?? (host === undefined ? undefined : `http://${host}:${port}`)
}

/** The program's own log as it is, and nobody who looks at traces: nothing is paid for what nobody wants. */
const nobody = Layer.merge(Layer.effect(LogSink, LogSink), NoTracing.layer)

/** Goes between the log that the program keeps and all who write into it. */
export const layer = (
  values: SightSettings,
  teller: Origin & Pick<VictoriaLogs.Options, "records">
): Layer.Layer<LogSink | Tracing, never, LogSink> => {
  const url = urlOf(values)
  return url === undefined
    ? nobody
    : SampledTracing.layer(values.traceSampleRate).pipe(
        Layer.provideMerge(VictoriaLogs.layer({ ...teller, url: Redacted.make(url) }))
      )
}
