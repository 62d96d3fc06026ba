/**
 * Where a program's own log lines go: one JSON object a line on stderr, and the log store. The store never delays a line and
 * a closed stderr never stops the program.
 */
import { Cause, Effect, Layer, Logger, References } from "effect"
import type { LogRecord } from "#domain/LogRecord"
import { LogSink } from "#services/LogSink"

export type Level = LogRecord["level"]

const effectLevel = { DEBUG: "Debug", INFO: "Info", WARNING: "Warn", ERROR: "Error" } as const

const levelOf = (level: string): Level => {
  switch (level) {
    case "Fatal":
      return "CRITICAL"
    case "Error":
      return "ERROR"
    case "Warn":
      return "WARNING"
    case "Debug":
    case "Trace":
      return "DEBUG"
    default:
      return "INFO"
  }
}

const textOf = (message: unknown): string =>
  (Array.isArray(message) ? message : [message])
    .map((part) => (typeof part === "string" ? part : part instanceof Error ? part.message : JSON.stringify(part)))
    .join(" ")

/** A line that is annotated with `requestId` is found among the lines of that request. */
const requestIdOf = ({ requestId }: Readonly<Record<string, unknown>>): string | undefined =>
  typeof requestId === "string" ? requestId : undefined

export const layer = (options: { readonly name: string; readonly least: keyof typeof effectLevel }) =>
  Logger.layer([
    Effect.gen(function* () {
      const sink = yield* LogSink
      const forgive = () => undefined
      yield* Effect.acquireRelease(
        Effect.sync(() => process.stderr.on("error", forgive)),
        () => Effect.sync(() => process.stderr.off("error", forgive))
      )
      return Logger.make<unknown, void>(({ cause, date, fiber, logLevel, message }) => {
        const level = levelOf(logLevel)
        const exception = cause.reasons.length === 0 ? undefined : Cause.pretty(cause)
        const text = textOf(message)
        process.stderr.write(
          `${JSON.stringify({ _time: date.toISOString(), level, logger: options.name, message: text, exception })}\n`
        )
        sink.write({
          atUnixMs: date.getTime(),
          source: "system",
          level,
          message: exception === undefined ? text : `${text}\n${exception}`,
          functionName: undefined,
          containerName: undefined,
          requestId: requestIdOf(fiber.getRef(References.CurrentLogAnnotations)),
          traceId: undefined
        })
      })
    })
  ]).pipe(Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, effectLevel[options.least])))
