/** One line of the log store, and what may be asked of it. */
import type { FunctionName } from "./FunctionName.ts"

/** Who wrote a line: the function itself, the platform about one of its calls (`START`, `END`, `REPORT`), or a program of ours. */
export type LogSource = "function" | "platform" | "system"

export interface LogRecord {
  readonly atUnixMs: number
  readonly source: LogSource
  readonly level: "DEBUG" | "INFO" | "WARNING" | "ERROR" | "CRITICAL"
  /** Without the newline that ended it. */
  readonly message: string
  readonly functionName: FunctionName | undefined
  readonly containerName: string | undefined
  readonly requestId: string | undefined
  /** The value of `X-Amzn-Trace-Id`, whole. */
  readonly traceId: string | undefined
  /** The failure that the message is about, with its stack. */
  readonly exception?: string | undefined
  /** What a program says besides its message, by names as they are told. */
  readonly details?: Readonly<Record<string, unknown>> | undefined
}

/** A record as a store keeps it that has nothing but messages: an exception is their end, details are left out. */
export const kept = (record: LogRecord): LogRecord => {
  const { details, exception, ...rest } = record
  if (details === undefined && exception === undefined) return record
  return exception === undefined ? rest : { ...rest, message: `${rest.message}\n${exception}` }
}

/** A stored line; `position` grows with every line and never repeats. */
export interface StoredLogRecord extends LogRecord {
  readonly position: number
}

export interface LogQuery {
  readonly functionName?: FunctionName | undefined
  readonly requestId?: string | undefined
  /** Only lines after this position, and of those the first `limit`: who follows a log asks again from the last one he got. */
  readonly after?: number | undefined
  readonly sinceUnixMs?: number | undefined
  /** This many, told oldest first: the newest, unless `after` is given. */
  readonly limit: number
}
