/** Log lines in one SQLite file, and how the oldest leave it. Runs in the SQLite thread. */
import type { DatabaseSync, SQLInputValue } from "node:sqlite"
import type { StoredLogRecord } from "#domain/LogRecord"
import type { Store } from "./Committer.ts"
import * as Database from "./Database.ts"
import type { Ask, LogOperation, LogStoreOptions, Reply } from "./Protocol.ts"
import { change, each, one } from "./Statements.ts"

/**
 * `latest_unix_ms` is the latest time that this line or any before it tells; it finds where a time begins. Request ids are
 * random: an index in their order would write a page of it for every line. Under their first character, in the order of
 * writing, it grows at sixteen ends, and a look-up reads a sixteenth of it.
 */
const format = `
  CREATE TABLE lines (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    at_unix_ms INTEGER NOT NULL,
    latest_unix_ms INTEGER NOT NULL,
    source TEXT NOT NULL,
    level TEXT NOT NULL,
    message TEXT NOT NULL,
    function_name TEXT,
    container_name TEXT,
    request_id TEXT,
    trace_id TEXT
  ) STRICT;
  CREATE INDEX lines_by_function ON lines (function_name) WHERE function_name IS NOT NULL;
  CREATE INDEX lines_by_request ON lines (substr(request_id, 1, 1), position, request_id) WHERE request_id IS NOT NULL;
`

const columns = `
  position, at_unix_ms AS atUnixMs, source, level, message, function_name AS functionName,
  container_name AS containerName, request_id AS requestId, trace_id AS traceId
`

/** Lines that leave in one step: a few milliseconds at most. */
const linesPerStep = 500

type Optional = "functionName" | "containerName" | "requestId" | "traceId"
type LineRow = Omit<StoredLogRecord, Optional> & { readonly [K in Optional]: StoredLogRecord[K] | null }

export const open = (options: LogStoreOptions): Store<LogOperation> =>
  Database.open(
    options.path,
    {
      applicationId: 0x6573626c, // "esbl"
      migrations: [format],
      maxFileBytes: options.maxFileBytes
    },
    (database) => make(database, options)
  )

const make = (database: DatabaseSync, { retention }: LogStoreOptions): Store<LogOperation> => {
  const insert = change(
    database,
    `INSERT INTO lines (
      at_unix_ms, latest_unix_ms, source, level, message, function_name, container_name, request_id, trace_id
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
  )
  const newest = one<{ position: number; latestUnixMs: number }>(
    database,
    "SELECT position, latest_unix_ms AS latestUnixMs FROM lines ORDER BY position DESC LIMIT 1"
  )
  const oldest = one<{ position: number; atUnixMs: number }>(
    database,
    "SELECT position, at_unix_ms AS atUnixMs FROM lines ORDER BY position LIMIT 1"
  )
  const latestFrom = one<{ latestUnixMs: number }>(
    database,
    "SELECT latest_unix_ms AS latestUnixMs FROM lines WHERE position >= ? ORDER BY position LIMIT 1"
  )
  const firstYounger = one<{ position: number | null }>(
    database,
    `SELECT min(position) AS position FROM (SELECT position, at_unix_ms FROM lines ORDER BY position LIMIT ${linesPerStep})
    WHERE at_unix_ms >= ?`
  )
  const removeBefore = change(database, "DELETE FROM lines WHERE position < ?")

  let latestUnixMs = newest()?.latestUnixMs ?? 0

  const append = (records: Ask<"append">): void => {
    for (const record of records) {
      const atUnixMs = Math.trunc(record.atUnixMs)
      latestUnixMs = Math.max(latestUnixMs, atUnixMs)
      insert(
        atUnixMs,
        latestUnixMs,
        record.source,
        record.level,
        record.message,
        record.functionName ?? null,
        record.containerName ?? null,
        record.requestId ?? null,
        record.traceId ?? null
      )
    }
  }

  /** Every line at or after a time lies at or after this position. */
  const positionOf = (unixMs: number): number => {
    let [low, high] = [oldest()?.position ?? 1, (newest()?.position ?? 0) + 1]
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if ((latestFrom(middle)?.latestUnixMs ?? Infinity) >= unixMs) high = middle
      else low = middle + 1
    }
    return low
  }

  const selects = new Map<string, ReturnType<typeof each<LineRow>>>()
  const select = (sql: string) => {
    const known = selects.get(sql) ?? each<LineRow>(database, sql)
    selects.set(sql, known)
    return known
  }

  const query = (ask: Ask<"query">): Reply<"query"> => {
    const { functionName, requestId, after, sinceUnixMs, limit, maxCharacters } = ask
    const conditions: Array<string> = []
    const values: Array<SQLInputValue> = []
    const demand = (condition: string, ...wanted: ReadonlyArray<SQLInputValue>) => {
      conditions.push(condition)
      values.push(...wanted)
    }
    // The `+` keeps SQLite from walking through all lines of a function when it could look at those of one request.
    if (functionName !== undefined)
      demand(requestId === undefined ? "function_name = ?" : "+function_name = ?", functionName)
    if (requestId !== undefined)
      demand("substr(request_id, 1, 1) = ? AND request_id = ?", requestId.slice(0, 1), requestId)
    if (after !== undefined) demand("position > ?", after)
    if (sinceUnixMs !== undefined) demand("position >= ? AND at_unix_ms >= ?", positionOf(sinceUnixMs), sinceUnixMs)
    const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`
    // Who follows reads on from where he was; who looks back wants the newest.
    const order = after === undefined ? "DESC" : "ASC"
    const found = select(`SELECT ${columns} FROM lines ${where} ORDER BY position ${order} LIMIT ?`)
    const told = within(maxCharacters, found(...values, limit))
    return after === undefined ? told.toReversed() : told
  }

  /** The position before which lines leave in this step; undefined when nothing is too much. */
  const boundary = (): number | undefined => {
    const first = oldest()
    if (first === undefined) return undefined
    const excess = (newest()?.position ?? 0) - first.position + 1 - retention.maxLines
    if (excess > 0) return first.position + Math.min(excess, linesPerStep)
    if (Database.usedBytes(database) > retention.maxBytes) return first.position + linesPerStep
    const before = Date.now() - retention.maxAgeMs
    return first.atUnixMs < before ? (firstYounger(before)?.position ?? first.position + linesPerStep) : undefined
  }

  const atomically = <A>(work: () => A): A => {
    const before = latestUnixMs
    try {
      return Database.transaction(database, work)
    } catch (error) {
      latestUnixMs = before
      throw error
    }
  }

  return {
    handlers: { append, query },
    atomically,
    tend: () => {
      const position = boundary()
      if (position === undefined) return false
      atomically(() => removeBefore(position))
      return true
    },
    close: () => database.close()
  }
}

/** The first rows whose messages are not too much together, and the first one anyway. */
const within = (maxCharacters: number, rows: Iterable<LineRow>): Array<StoredLogRecord> => {
  const records: Array<StoredLogRecord> = []
  let characters = 0
  for (const row of rows) {
    characters += row.message.length
    if (records.length > 0 && characters > maxCharacters) break
    records.push(recordOf(row))
  }
  return records
}

const recordOf = (row: LineRow): StoredLogRecord => ({
  ...row,
  functionName: row.functionName ?? undefined,
  containerName: row.containerName ?? undefined,
  requestId: row.requestId ?? undefined,
  traceId: row.traceId ?? undefined
})
