/**
 * Where a program's own log lines go: one line each on stderr, as JSON or as text, and the log store. The store never delays a
 * line and a closed stderr never stops the program.
 */
import { Cause, Effect, Layer, Logger, References } from "effect"
import type { LogRecord } from "#domain/LogRecord"
import { LogSink } from "#services/LogSink"

export type Level = LogRecord["level"]

const effectLevel = { DEBUG: "Debug", INFO: "Info", WARNING: "Warn", ERROR: "Error" } as const

/** The level that a setting names in whatever case, as `warn` or `WARNING`. */
export const levelNamed = (name: string): keyof typeof effectLevel => {
  const upper = name.toUpperCase()
  if (upper === "DEBUG" || upper === "ERROR") return upper
  return upper.startsWith("WARN") ? "WARNING" : "INFO"
}

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

/** What a line is annotated with: `requestId` and `traceId` are whose line it is, and have names of their own in it. */
const idsIn = ({ requestId, traceId, ...details }: Readonly<Record<string, unknown>>) => ({
  requestId: typeof requestId === "string" ? requestId : undefined,
  traceId: typeof traceId === "string" ? traceId : undefined,
  details
})

export interface LogOptions {
  /** The program, as `logger` of each line. */
  readonly name: string
  readonly least: keyof typeof effectLevel
  /** `json` unless told otherwise. */
  readonly format?: "json" | "text"
}

interface Line {
  readonly _time: string
  readonly level: Level
  readonly logger: string
  readonly message: string
  readonly trace_id: string | undefined
  readonly aws_request_id: string | undefined
  readonly exception: string | undefined
}

const json = (line: Line, details: Readonly<Record<string, unknown>>): string => JSON.stringify({ ...details, ...line })

const wordOf = (value: unknown): string => {
  const text = typeof value === "string" ? value : JSON.stringify(value)
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text)
}

/** `2026-02-01T12:00:00.000Z INFO answering at … key=value`, an exception on lines of its own. */
const text = (
  { _time, aws_request_id, exception, level, message, trace_id }: Line,
  details: Readonly<Record<string, unknown>>
) =>
  [
    _time,
    level,
    message,
    ...Object.entries({ ...details, aws_request_id, trace_id }).flatMap(([key, value]) =>
      value === undefined ? [] : [`${key}=${wordOf(value)}`]
    )
  ].join(" ") + (exception === undefined ? "" : `\n${exception}`)

const written = { json, text }

export const layer = (options: LogOptions) =>
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
        const told = textOf(message)
        const { details, requestId, traceId } = idsIn(fiber.getRef(References.CurrentLogAnnotations))
        const line = {
          _time: date.toISOString(),
          level,
          logger: options.name,
          message: told,
          trace_id: traceId,
          aws_request_id: requestId,
          exception
        }
        process.stderr.write(`${written[options.format ?? "json"](line, details)}\n`)
        sink.write({
          atUnixMs: date.getTime(),
          source: "system",
          level,
          message: told,
          functionName: undefined,
          containerName: undefined,
          requestId,
          traceId,
          exception,
          details
        })
      })
    })
  ]).pipe(Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, effectLevel[options.least])))
