/** One line of the data door's log, as JSON: what a worker wrote, or a word about the log itself. */
import { Schema } from "effect"
import { FunctionName } from "#domain/FunctionName"
import type { LogRecord } from "#domain/LogRecord"

const Line = Schema.TaggedStruct("Line", {
  /** Grows with every line of an owner. */
  position: Schema.Int,
  atUnixMs: Schema.Finite,
  source: Schema.Literals(["function", "platform", "system"]),
  level: Schema.Literals(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]),
  message: Schema.String,
  functionName: Schema.optionalKey(FunctionName),
  containerName: Schema.optionalKey(Schema.String),
  requestId: Schema.optionalKey(Schema.String),
  traceId: Schema.optionalKey(Schema.String)
})

/** The first: positions of another run mean nothing in this one. The lines after `after` follow. */
const Run = Schema.TaggedStruct("Run", { run: Schema.String, after: Schema.Int })

/** So many lines should stand here, and had to make room for newer ones. */
const Lost = Schema.TaggedStruct("Lost", { count: Schema.Int })

/** Nothing was written for a while, and the Agent is there. */
const Heartbeat = Schema.TaggedStruct("Heartbeat", {})

export const LogEntry = Schema.Union([Line, Run, Lost, Heartbeat])
export type LogEntry = typeof LogEntry.Type
export type Line = typeof Line.Type

export const decode = Schema.decodeUnknownOption(Schema.fromJsonString(LogEntry))

/** What is undefined is left out. Ends with its newline. */
export const line = (position: number, record: LogRecord): string =>
  `${JSON.stringify({ _tag: "Line", position, ...record })}\n`

export const entry = (told: Exclude<LogEntry, Line>): string => `${JSON.stringify(told)}\n`

export const recordOf = ({ position: _position, _tag, ...told }: Line): LogRecord => ({
  functionName: undefined,
  containerName: undefined,
  requestId: undefined,
  traceId: undefined,
  ...told
})
