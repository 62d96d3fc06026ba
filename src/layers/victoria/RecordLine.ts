/**
 * A log record as a line of VictoriaLogs. Its streams are `container_name` and `job`: a program and `services`, or a function
 * and `lambda`. `trace_id` is the whole `X-Amzn-Trace-Id`; a search for its root as a phrase finds it.
 * @see https://docs.victoriametrics.com/victorialogs/data-ingestion/#json-stream-api
 */
import { Buffer } from "node:buffer"
import { kept, type LogRecord } from "#domain/LogRecord"

/** The program that tells. */
export interface Origin {
  /** `esb-gateway` */
  readonly containerName: string
  /** `gateway` */
  readonly logger: string
}

/** VictoriaLogs drops lines of more than a thousand fields; an object of more than this is left as the text it was. */
const mostOwnFields = 200

/** Names that mean something to the store are not a function's to give. */
const isFree = ([name]: readonly [string, unknown]): boolean => name !== "" && !name.startsWith("_")

/** What a function says that writes its lines as JSON objects: they are fields of the line too. */
const ownFields = (message: string): Readonly<Record<string, unknown>> => {
  if (!message.startsWith("{")) return {}
  try {
    const parsed: unknown = JSON.parse(message)
    if (typeof parsed !== "object" || parsed === null) return {}
    const fields = Object.entries(parsed).filter(isFree)
    return fields.length > mostOwnFields ? {} : Object.fromEntries(fields)
  } catch {
    // Not JSON after all: a line of text that happens to begin with a brace.
    return {}
  }
}

const about = (record: LogRecord) => ({
  _time: new Date(record.atUnixMs).toISOString(),
  level: record.level,
  message: record.message,
  exception: record.exception,
  trace_id: record.traceId,
  aws_request_id: record.requestId
})

const ofProgram = (record: LogRecord, { containerName, logger }: Origin) => ({
  ...record.details,
  ...about(record),
  logger,
  container_name: containerName,
  job: "services",
  function_name: record.functionName
})

const ofWorker = (record: LogRecord) => {
  const own = record.source === "function" ? ownFields(record.message) : {}
  const { logger, message } = own as { readonly logger?: unknown; readonly message?: unknown }
  return {
    ...own,
    ...about(record),
    message: typeof message === "string" && message !== "" ? message : record.message,
    logger: typeof logger === "string" && logger !== "" ? logger : record.source,
    container_name: record.functionName,
    job: "lambda",
    function_name: record.functionName,
    log_group: `/aws/lambda/${record.functionName}`,
    worker: record.containerName
  }
}

/** The beginning of what the record says, as much of it as fits, without anything that may be long besides. */
const cut = (
  record: LogRecord,
  fields: Readonly<Record<string, unknown>>,
  bytes: number,
  limitBytes: number
): string => {
  const { _time, aws_request_id, container_name, job, level, logger, trace_id } = fields
  const told = { _time, level, logger, trace_id, aws_request_id, container_name, job, cut_from_bytes: bytes }
  const whole = kept(record).message
  const withText = (text: string): string =>
    JSON.stringify({ ...told, message: `${text} [cut: the line had ${bytes} bytes]` })
  const room = limitBytes - Buffer.byteLength(withText(""))
  // How many bytes a character takes differs; a beginning that is still too long tells how much of it fits.
  for (let characters = Math.min(whole.length, room); characters > 0;) {
    const line = withText(whole.slice(0, characters).toWellFormed())
    const taken = Buffer.byteLength(line) - limitBytes + room
    if (taken <= room) return line
    characters = Math.min(characters - 1, Math.floor((characters * room) / taken))
  }
  return withText("")
}

/** Without a newline, and never longer than the limit. */
export const of = (record: LogRecord, origin: Origin, limitBytes: number): string => {
  const isOurs = record.source === "system" || record.functionName === undefined
  const fields = isOurs ? ofProgram(record, origin) : ofWorker(record)
  const line = JSON.stringify(fields)
  // No character takes more than three bytes in UTF-8.
  if (line.length * 3 <= limitBytes) return line
  const bytes = Buffer.byteLength(line)
  return bytes > limitBytes ? cut(record, fields, bytes, limitBytes) : line
}
