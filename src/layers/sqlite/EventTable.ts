/** The tables of the queue and everything that is said to them. */
import type { DatabaseSync } from "node:sqlite"
import type { ClaimedEvent, EventSummary } from "#domain/AsyncEvent"
import type { Reply } from "./Protocol.ts"
import { all, change, one } from "./Statements.ts"

/** Payloads lie apart, so that a change of state does not write them again. */
export const format = `
  CREATE TABLE events (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('ready', 'running', 'failed')),
    function_name TEXT NOT NULL,
    due_at_unix_ms INTEGER NOT NULL,
    accepted_at_unix_ms INTEGER NOT NULL,
    failed_at_unix_ms INTEGER,
    failures INTEGER NOT NULL DEFAULT 0,
    postponements INTEGER NOT NULL DEFAULT 0,
    crashes INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    payload_bytes INTEGER NOT NULL,
    trace_id TEXT NOT NULL,
    client_context TEXT,
    invoked_arn TEXT NOT NULL
  ) STRICT;
  CREATE TABLE payloads (
    sequence INTEGER PRIMARY KEY REFERENCES events ON DELETE CASCADE,
    payload BLOB NOT NULL
  ) STRICT;
  CREATE INDEX ready_events ON events (function_name, due_at_unix_ms) WHERE state = 'ready';
  CREATE INDEX failed_events ON events (failed_at_unix_ms) WHERE state = 'failed';
`

/** Columns as a {@link ClaimedEvent}, save that an absent client context is `null`. */
const whole = `
  id, function_name AS functionName, payload, trace_id AS traceId, client_context AS clientContext,
  invoked_arn AS invokedArn, accepted_at_unix_ms AS acceptedAtUnixMs, failures, postponements, crashes
`
export type EventRow = Omit<ClaimedEvent, "clientContext"> & { readonly clientContext: string | null }
export type SummaryRow = Omit<EventSummary, "reason"> & { readonly reason: string | null }

/** How many events, and how many bytes of payload. */
export interface Load {
  readonly events: number
  readonly bytes: number
}

/** One event as the limits see it. */
interface Sized {
  readonly sequence: number
  readonly bytes: number
}

export const prepare = (database: DatabaseSync) => {
  const weigh = (condition: string) =>
    one<Load>(
      database,
      `SELECT count(*) AS events, ifnull(sum(payload_bytes), 0) AS bytes FROM events WHERE ${condition}`
    )

  return {
    insert: change(
      database,
      `INSERT INTO events (
        id, state, function_name, due_at_unix_ms, accepted_at_unix_ms, payload_bytes, trace_id, client_context, invoked_arn
      ) VALUES (?, 'ready', ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`
    ),
    insertPayload: change(database, "INSERT INTO payloads VALUES (?, ?)"),
    remove: change(database, "DELETE FROM events WHERE sequence = ?"),

    /** id → the event with its payload, in whichever state. */
    stored: one<EventRow>(database, `SELECT ${whole} FROM events JOIN payloads USING (sequence) WHERE id = ?`),
    /** id, state. */
    find: one<Sized>(database, "SELECT sequence, payload_bytes AS bytes FROM events WHERE id = ? AND state = ?"),
    /** Function name, now, limit. */
    due: all<EventRow>(
      database,
      `SELECT ${whole} FROM events JOIN payloads USING (sequence)
      WHERE state = 'ready' AND function_name = ? AND due_at_unix_ms <= ? ORDER BY due_at_unix_ms, sequence LIMIT ?`
    ),
    /** Steps from one function to the next instead of reading every ready event. */
    earliest: all<Reply<"due">[number]>(
      database,
      `WITH RECURSIVE names (name) AS (
        SELECT min(function_name) FROM events WHERE state = 'ready'
        UNION ALL
        SELECT (SELECT min(function_name) FROM events WHERE state = 'ready' AND function_name > name)
        FROM names WHERE name IS NOT NULL
      )
      SELECT name AS functionName,
        (SELECT min(due_at_unix_ms) FROM events WHERE state = 'ready' AND function_name = name) AS dueAtUnixMs
      FROM names WHERE name IS NOT NULL`
    ),
    newest: all<SummaryRow>(
      database,
      `SELECT id, function_name AS functionName, state, accepted_at_unix_ms AS acceptedAtUnixMs,
        due_at_unix_ms AS dueAtUnixMs, failures, crashes, reason
      FROM events ORDER BY sequence DESC LIMIT ?`
    ),

    /** id. */
    start: change(database, "UPDATE events SET state = 'running' WHERE id = ?"),
    /** id. */
    putBack: change(database, "UPDATE events SET state = 'ready' WHERE id = ? AND state = 'running'"),
    /** A JSON array of the ids that stay running. */
    putBackAllBut: change(
      database,
      "UPDATE events SET state = 'ready' WHERE state = 'running' AND id NOT IN (SELECT value FROM json_each(?))"
    ),
    /** When due, why, failures more, postponements more, id. */
    postpone: change(
      database,
      `UPDATE events SET state = 'ready', due_at_unix_ms = ?, reason = ?,
        failures = failures + ?, postponements = postponements + ?
      WHERE id = ? AND state = 'running'`
    ),
    /** Now, why, sequence. */
    fail: change(database, "UPDATE events SET state = 'failed', failed_at_unix_ms = ?, reason = ? WHERE sequence = ?"),
    /** Now, why, crashes that are too many. */
    failCrashed: change(
      database,
      `UPDATE events SET state = 'failed', failed_at_unix_ms = ?, reason = ?, crashes = crashes + 1
      WHERE state = 'running' AND crashes + 1 >= ?`
    ),
    recover: change(database, "UPDATE events SET state = 'ready', crashes = crashes + 1 WHERE state = 'running'"),
    /** Now, sequence. */
    startAnew: change(
      database,
      `UPDATE events SET state = 'ready', due_at_unix_ms = ?1, accepted_at_unix_ms = ?1, failed_at_unix_ms = NULL,
        failures = 0, postponements = 0, crashes = 0, reason = NULL
      WHERE sequence = ?2`
    ),
    oldestFailed: one<Sized & { readonly failedAtUnixMs: number }>(
      database,
      `SELECT sequence, payload_bytes AS bytes, failed_at_unix_ms AS failedAtUnixMs
      FROM events WHERE state = 'failed' ORDER BY failed_at_unix_ms, sequence LIMIT 1`
    ),
    weighOwed: weigh("state <> 'failed'"),
    weighFailed: weigh("state = 'failed'")
  }
}
