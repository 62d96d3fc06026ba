/** Where a program's log and the operations of its calls are told besides the program itself: which stores, if any. */
import { Layer, Redacted } from "effect"
import * as NoTracing from "#layers/telemetry/NoTracing"
import * as SampledTracing from "#layers/telemetry/SampledTracing"
import type { Origin } from "#layers/victoria/RecordLine"
import * as VictoriaLogs from "#layers/victoria/VictoriaLogs"
import * as VictoriaTraces from "#layers/victoria/VictoriaTraces"
import { LogSink } from "#services/LogSink"
import { SpanSink } from "#services/SpanSink"
import type { Tracing } from "#services/Tracing"
import * as Setting from "./Setting.ts"

/** @param env variables that name the store of records, the first one set counts */
export const settings = (env: Setting.Names) =>
  Setting.group("Stores of records and traces", {
    victoriaLogsUrl: Setting.optional(Setting.HttpUrl)(
      env,
      "VictoriaLogs that records and traces are sent to as well",
      "http://VICTORIALOGS_HOST:VICTORIALOGS_PORT where a host is given, else none"
    ),
    victoriaLogsHost: Setting.optional(Setting.Text)("VICTORIALOGS_HOST", "Its host, in place of a URL", "none"),
    victoriaLogsPort: Setting.Port("VICTORIALOGS_PORT", "Its port, where a host is given", 9428),
    disableVictoriaLogs: Setting.Flag("DISABLE_VICTORIALOGS", "Send it nothing, whatever the lines above say", false),
    victoriaTracesUrl: Setting.optional(Setting.HttpUrl)(
      "VICTORIATRACES_URL",
      "VictoriaTraces that traces are sent to as well",
      "none"
    ),
    traceSampleRate: Setting.Share(
      "TRACE_SAMPLE_RATE",
      "Share of the traces that begin here, 0 to 1, whose operations are sent; Sampled=1 or 0 of a caller wins",
      0.05
    )
  })

export type SightSettings = Setting.Values<ReturnType<typeof settings>>

const logsUrl = (values: SightSettings): string | undefined => {
  if (values.disableVictoriaLogs) return undefined
  const { victoriaLogsHost: host, victoriaLogsPort: port } = values
  return values.victoriaLogsUrl ?? (host === undefined ? undefined : `http://${host}:${port}`)
}

type Teller = Origin & Pick<VictoriaLogs.Options, "records">

/** The program's own log as it is. */
const ownLog = Layer.merge(Layer.effect(LogSink, LogSink), Layer.succeed(SpanSink, { write: () => undefined }))

const logs = (values: SightSettings, teller: Teller) => {
  const url = logsUrl(values)
  return url === undefined ? ownLog : VictoriaLogs.layer({ ...teller, url: Redacted.make(url) })
}

const traces = ({ victoriaTracesUrl: url }: SightSettings, { containerName: service }: Teller) =>
  url === undefined ? Layer.effect(SpanSink, SpanSink) : VictoriaTraces.layer({ url: Redacted.make(url), service })

/** Goes between the log that the program keeps and all who write into it. Nothing is paid for what nobody wants. */
export const layer = (values: SightSettings, teller: Teller): Layer.Layer<LogSink | Tracing, never, LogSink> => {
  const isTraced = logsUrl(values) !== undefined || values.victoriaTracesUrl !== undefined
  return (isTraced ? SampledTracing.layer(values.traceSampleRate) : NoTracing.layer).pipe(
    Layer.provide(traces(values, teller)),
    Layer.provideMerge(logs(values, teller))
  )
}
