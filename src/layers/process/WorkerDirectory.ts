/**
 * The directory of one worker, and the record in it by which a later start finds what an earlier run left: processes whose
 * Gateway was killed before it could kill them.
 */
import { Effect, Option, Schedule, Schema, type Scope } from "effect"
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { RuntimeUnavailable } from "#domain/Failure"
import type { ProcessTable } from "./ProcessTable.ts"

export interface WorkerDirectory {
  readonly path: string
  /** `TMPDIR` of the worker, and of nobody else: a process that has it in its environment belongs to this worker. */
  readonly temporary: string
}

const Record = Schema.fromJsonString(
  Schema.Struct({ groups: Schema.Array(Schema.Struct({ pid: Schema.Int, startTime: Schema.String })) })
)
type Record = typeof Record.Type

const recordName = "worker.json"
const decodeRecord = Schema.decodeUnknownOption(Record)

const unavailable = (what: string) => (cause: unknown) =>
  new RuntimeUnavailable({ detail: `${what}: ${cause instanceof Error ? cause.message : String(cause)}`, cause })

const parent = (stateDirectory: string): string => join(stateDirectory, "workers")

const of = (stateDirectory: string, name: string): WorkerDirectory => {
  const path = join(parent(stateDirectory), name)
  return { path, temporary: join(path, "tmp") }
}

const killIfThere = (target: number): void => {
  try {
    process.kill(target, "SIGKILL")
  } catch {
    // It ended by itself.
  }
}

/** Killed processes end when the kernel gets to it. One that waits for a dead disk is not waited for. */
const endLimit = "2 seconds"
const lookEvery = "2 millis"

const untilEnded = (pids: ReadonlyArray<number>, table: ProcessTable): Effect.Effect<void> =>
  table
    .some(pids)
    .pipe(
      Effect.repeat({ until: (left) => left.every(({ ended }) => ended), schedule: Schedule.spaced(lookEvery) }),
      Effect.timeoutOption(endLimit),
      Effect.asVoid
    )

/** Kills every process that carries this directory in its environment, wherever it went. */
const killStragglers = (directory: WorkerDirectory, table: ProcessTable): Effect.Effect<ReadonlyArray<number>> =>
  Effect.tap(table.marked(`TMPDIR=${directory.temporary}`), (pids) => Effect.sync(() => pids.forEach(killIfThere)))

const remove = (directory: WorkerDirectory): Effect.Effect<void, RuntimeUnavailable> =>
  Effect.tryPromise({
    try: () => rm(directory.path, { recursive: true, force: true, maxRetries: 3 }),
    catch: unavailable("cannot remove a worker's directory")
  })

/**
 * Made when this returns. When the scope has ended it is gone, with everything in it and with every process that belongs to
 * it and left its group: browsers, for one, are started like that.
 */
export const make = (
  stateDirectory: string,
  name: string,
  table: ProcessTable
): Effect.Effect<WorkerDirectory, RuntimeUnavailable, Scope.Scope> => {
  const directory = of(stateDirectory, name)
  return Effect.acquireRelease(
    Effect.tryPromise({
      try: () => mkdir(directory.temporary, { recursive: true, mode: 0o700 }),
      catch: unavailable("cannot make a worker's directory")
    }).pipe(Effect.as(directory)),
    // Whatever cannot be removed now is removed by the next start.
    () => Effect.andThen(killStragglers(directory, table), Effect.ignore(remove(directory), { log: "Warn" }))
  )
}

/** On disk when this returns. */
export const record = (
  directory: WorkerDirectory,
  groupIds: ReadonlyArray<number>,
  table: ProcessTable
): Effect.Effect<void, RuntimeUnavailable> =>
  Effect.flatMap(table.some(groupIds), (entries) =>
    Effect.tryPromise({
      try: () =>
        writeFile(
          join(directory.path, recordName),
          JSON.stringify({ groups: entries.map(({ pid, startTime }) => ({ pid, startTime })) } satisfies Record)
        ),
      catch: unavailable("cannot record a worker")
    })
  )

/** A recorded process is killed only while it is that very process: pids come again, start times do not. */
const killRecorded = Effect.fnUntraced(function* (directory: WorkerDirectory, table: ProcessTable) {
  const text = yield* Effect.promise(() => readFile(join(directory.path, recordName), "utf8").catch(() => ""))
  const recorded = Option.match(decodeRecord(text), { onNone: () => [], onSome: ({ groups }) => groups })
  const running = yield* table.some(recorded.map(({ pid }) => pid))
  const same = running.filter(({ pid, startTime }) =>
    recorded.some((known) => known.pid === pid && known.startTime === startTime)
  )
  for (const { pid } of same) killIfThere(-pid)
  return same.map(({ pid }) => pid)
})

/** Ends and removes every worker here that `isOurs` does not know. Returns how many there were. */
export const removeLeftovers = Effect.fnUntraced(function* (
  stateDirectory: string,
  table: ProcessTable,
  isOurs: (name: string) => boolean
) {
  const names = yield* Effect.promise(() => readdir(parent(stateDirectory)).catch(() => []))
  const leftovers = names.filter((name) => !isOurs(name)).map((name) => of(stateDirectory, name))
  for (const directory of leftovers) {
    const killed = [yield* killRecorded(directory, table), yield* killStragglers(directory, table)]
    yield* untilEnded(killed.flat(), table)
    yield* remove(directory)
  }
  return leftovers.length
})
