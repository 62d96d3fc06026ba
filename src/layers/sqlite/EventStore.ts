/** The queue of accepted events in one SQLite file: its limits and its rules. Runs in the SQLite thread. */
import type { DatabaseSync } from "node:sqlite"
import type { Store } from "./Committer.ts"
import * as Database from "./Database.ts"
import * as EventTable from "./EventTable.ts"
import * as WriteAheadLog from "./WriteAheadLog.ts"
import type { Ask, EventOperation, EventStoreOptions, Reply, Verdict } from "./Protocol.ts"

/** Failed events that one call may forget, so that no call takes long. */
const maxForgottenAtOnce = 100

const plus = (load: EventTable.Load, sign: 1 | -1, bytes: number): EventTable.Load => ({
  events: load.events + sign,
  bytes: load.bytes + sign * bytes
})

const nothing: EventTable.Load = { events: 0, bytes: 0 }

export const open = (options: EventStoreOptions): Store<EventOperation> =>
  Database.open(
    options.path,
    {
      applicationId: 0x65736271, // "esbq"
      migrations: [EventTable.format],
      maxFileBytes: options.maxFileBytes
    },
    (database) => make(database, options)
  )

const make = (
  database: DatabaseSync,
  { path, limits, held, maxCrashes, crashedReason }: EventStoreOptions
): Store<EventOperation> => {
  const table = EventTable.prepare(database)
  const log = WriteAheadLog.open(database, path)
  if (held !== undefined) table.putBackAllBut(JSON.stringify(held))

  /** What is `ready` or `running`, and what is kept as `failed`; always what the file says. */
  let owed = nothing
  let failed = nothing
  const weigh = () => {
    owed = table.weighOwed() ?? nothing
    failed = table.weighFailed() ?? nothing
  }
  weigh()

  const limitReachedBy = (bytes: number): Verdict => {
    if (owed.events >= limits.maxEvents) return limits.maxEvents
    return owed.bytes + bytes > limits.maxBytes ? limits.maxBytes : undefined
  }

  /** Whether the event is stored already; another one under its id is refused. */
  const isKnown = (event: Ask<"enqueue">): boolean => {
    const known = table.stored(event.id)
    if (known === undefined) return false
    const isSame =
      known.functionName === event.functionName &&
      known.invokedArn === event.invokedArn &&
      known.clientContext === (event.clientContext ?? null) &&
      Buffer.compare(known.payload, event.payload) === 0
    if (!isSame) throw new Error(`another event is stored under the id ${event.id}`)
    return true
  }

  const enqueue = (event: Ask<"enqueue">): Verdict => {
    const { id, functionName, payload, traceId, clientContext, invokedArn } = event
    const limit = limitReachedBy(payload.byteLength)
    if (limit !== undefined) return isKnown(event) ? undefined : limit
    const context = clientContext ?? null
    const at = Math.ceil(event.acceptedAtUnixMs)
    const { changes, key } = table.insert(id, functionName, at, at, payload.byteLength, traceId, context, invokedArn)
    if (changes === 0) {
      isKnown(event)
      return undefined
    }
    table.insertPayload(key, payload)
    owed = plus(owed, 1, payload.byteLength)
    return undefined
  }

  const claim = ({ functionName, nowUnixMs, limit }: Ask<"claim">): Reply<"claim"> =>
    table.due(functionName, nowUnixMs, limit).map((event) => {
      table.start(event.id)
      return { ...event, clientContext: event.clientContext ?? undefined }
    })

  /** True when there is more to forget than one call may. */
  const forgetFailed = (): boolean => {
    const before = Date.now() - limits.maxFailedAgeMs
    for (let count = 0; count < maxForgottenAtOnce; count++) {
      const oldest = table.oldestFailed()
      const isTooMuch = failed.events > limits.maxFailedEvents || failed.bytes > limits.maxFailedBytes
      if (oldest === undefined || !(isTooMuch || oldest.failedAtUnixMs < before)) return false
      table.remove(oldest.sequence)
      failed = plus(failed, -1, oldest.bytes)
    }
    return true
  }

  const settle = ({ id, settlement }: Ask<"settle">): void => {
    if (settlement._tag === "Later") {
      const isFailure = settlement.cause === "failure"
      table.postpone(Math.ceil(settlement.dueAtUnixMs), settlement.reason, isFailure ? 1 : 0, isFailure ? 0 : 1, id)
      return
    }
    const event = table.find(id, "running")
    if (event === undefined) return
    owed = plus(owed, -1, event.bytes)
    if (settlement._tag === "Done") {
      table.remove(event.sequence)
      return
    }
    table.fail(Date.now(), settlement.reason, event.sequence)
    failed = plus(failed, 1, event.bytes)
    forgetFailed()
  }

  const recover = (): number => {
    const { changes: given } = table.failCrashed(Date.now(), crashedReason, maxCrashes)
    const { changes: recovered } = table.recover()
    weigh()
    forgetFailed()
    return given + recovered
  }

  const retry = ({ id, nowUnixMs }: Ask<"retry">): Reply<"retry"> => {
    const event = table.find(id, "failed")
    if (event === undefined) return { found: false, verdict: undefined }
    const verdict = limitReachedBy(event.bytes)
    if (verdict !== undefined) return { found: true, verdict }
    table.startAnew(Math.ceil(nowUnixMs), event.sequence)
    owed = plus(owed, 1, event.bytes)
    failed = plus(failed, -1, event.bytes)
    return { found: true, verdict: undefined }
  }

  const drop = ({ id }: Ask<"drop">): boolean => {
    const event = table.find(id, "failed")
    if (event === undefined) return false
    table.remove(event.sequence)
    failed = plus(failed, -1, event.bytes)
    return true
  }

  const atomically = <A>(work: () => A): A => {
    const before = { owed, failed }
    try {
      const result = Database.transaction(database, work)
      log.flush()
      return result
    } catch (error) {
      owed = before.owed
      failed = before.failed
      throw error
    }
  }

  return {
    handlers: {
      enqueue,
      claim,
      release: (ids) => ids.forEach((id) => table.putBack(id)),
      settle,
      recover,
      due: () => table.earliest(),
      list: ({ limit }) => table.newest(limit).map((event) => ({ ...event, reason: event.reason ?? undefined })),
      retry,
      drop
    },
    atomically,
    tend: () => failed.events > 0 && atomically(forgetFailed),
    close: () => {
      log.close()
      database.close()
    }
  }
}
