/**
 * `console` as functions on AWS know it: one record per call on standard output, written before the call returns, so
 * that all output of an invocation is in the pipe before its answer.
 *
 * Text is `<ISO time>\t<request id>\t<LEVEL>\t<message>` with `\r` for line breaks within a record. JSON
 * (`AWS_LAMBDA_LOG_FORMAT=JSON`) is `{timestamp, level, requestId, message}`, and of an error its type, message and stack.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html
 */
import { createRequire } from "node:module"
import { errorBody, errorLine } from "./Fault.ts"

// Both are loaded when Node starts; an ES import of them would enumerate their exports, which costs 2 ms each.
const require = createRequire(import.meta.url)
const fs = require("node:fs") as typeof import("node:fs")
const util = require("node:util") as typeof import("node:util")

const levels = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"] as const
type Level = (typeof levels)[number]

const STDOUT = 1
const FULL_PIPE_PAUSE_MS = 1
const sleeper = new Int32Array(new SharedArrayBuffer(4))

/** A full pipe holds the writer up, as a blocking one would. */
const writeLine = (line: string) => {
  const bytes = Buffer.from(`${line.replaceAll("\n", "\r")}\n`)
  let offset = 0
  while (offset < bytes.length) {
    try {
      offset += fs.writeSync(STDOUT, bytes, offset)
    } catch (cause) {
      // Anything but a full pipe means that nobody reads any more: there is no one to tell.
      if ((cause as NodeJS.ErrnoException).code !== "EAGAIN") return
      Atomics.wait(sleeper, 0, 0, FULL_PIPE_PAUSE_MS)
    }
  }
}

const describeError = (error: Error) => ({
  errorType: error.constructor?.name ?? "UnknownError",
  errorMessage: error.message,
  stackTrace: typeof error.stack === "string" ? error.stack.split("\n") : []
})

const jsonRecord = (requestId: string | undefined, level: Level, first: unknown, rest: ReadonlyArray<unknown>) => {
  const record = { timestamp: new Date().toISOString(), level, requestId }
  if (rest.length > 0) {
    const error = [first, ...rest].find((each) => each instanceof Error)
    return JSON.stringify({ ...record, message: util.format(first, ...rest), ...(error && describeError(error)) })
  }
  try {
    const replacer = (_key: string, value: unknown) =>
      value instanceof Error ? { ...describeError(value), ...value } : value
    return JSON.stringify({ ...record, message: first }, replacer)
  } catch {
    // What JSON cannot say, for example a ring, is said as text.
    return JSON.stringify({ ...record, message: util.format(first) })
  }
}

const textRecord = (requestId: string | undefined, level: Level, first: unknown, rest: ReadonlyArray<unknown>) =>
  `${new Date().toISOString()}\t${requestId}\t${level}\t${util.format(first, ...rest)}`

/** Where the log lines of one worker go. */
export interface Log {
  /** Every record names the call in flight. AWS's older clients say `undefined` while there is none, the newer `-`. */
  requestId: string | undefined
  /** `what` is the occasion, such as `Invoke Error`. */
  readonly error: (what: string, thrown: unknown) => void
}

/** Replaces the methods of the global `console`. */
export const patchConsole = (environment: NodeJS.ProcessEnv, idle: string | undefined): Log => {
  const asJson = environment["AWS_LAMBDA_LOG_FORMAT"]?.toUpperCase() === "JSON"
  const lowest = Math.max(0, levels.indexOf((environment["AWS_LAMBDA_LOG_LEVEL"]?.toUpperCase() ?? "TRACE") as Level))
  const record = asJson ? jsonRecord : textRecord
  const log: Log = {
    requestId: idle,
    error: (what, thrown) => {
      if (asJson) console.error(thrown instanceof Error ? thrown : errorBody(thrown))
      else console.error(what, `\t${errorLine(thrown)}`)
    }
  }
  const writer = (level: Level) =>
    levels.indexOf(level) < lowest
      ? () => {}
      : (first?: unknown, ...rest: Array<unknown>) => writeLine(record(log.requestId, level, first, rest))

  console.trace = writer("TRACE")
  console.debug = writer("DEBUG")
  console.info = writer("INFO")
  console.log = console.info
  console.warn = writer("WARN")
  console.error = writer("ERROR")
  Object.assign(console, { fatal: writer("FATAL") })
  return log
}
