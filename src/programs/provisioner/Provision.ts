/** What becomes of each table and bucket: looked for first, made when it is missing, mended where it may be. */
import { Console, Duration, Effect, Ref, Schema } from "effect"
import { type Bucket, isSameLifecycle, rulesOf } from "#domain/Bucket"
import type { Resources } from "#domain/Resources"
import { type StoreFailure, StoreUnavailable } from "#domain/StoreFailure"
import { asStored, differences, type Table } from "#domain/Table"
import { type BucketExists, type BucketNotFound, BucketStore } from "#services/BucketStore"
import { type StoreKey, StoreKeys } from "#services/StoreKeys"
import { type TableExists, type TableNotFound, TableStore } from "#services/TableStore"
import * as Patience from "./Patience.ts"

/** How a resource ended: `skipped` when its store was lost over another one, `planned` when nobody was asked for it. */
export type Result = "created" | "updated" | "unchanged" | "failed" | "skipped" | "planned"

export interface Outcome {
  readonly kind: "table" | "bucket" | "key"
  readonly name: string
  readonly result: Result
  /** What it is, what was changed, or why it failed. */
  readonly detail: string
}

export interface Options {
  /** Looks only: `created` and `updated` are what would be. */
  readonly dryRun: boolean
  /** How long a store that does not answer is asked again. */
  readonly storeStartTimeout: Duration.Duration
  readonly tableActiveTimeout: Duration.Duration
  readonly concurrency: number
}

/** A table of this name is another one than the file asks for. Nothing was changed: its items are somebody's. */
class TableDiffers extends Schema.TaggedError<TableDiffers>()("TableDiffers", {
  tableName: Schema.String,
  differences: Schema.NonEmptyArray(Schema.String)
}) {
  override get message() {
    return `${this.tableName} is there and is another table: ${this.differences.join("; ")}`
  }
}

/** A table was not ready for use in time. */
class TableNotActive extends Schema.TaggedError<TableNotActive>()("TableNotActive", {
  tableName: Schema.String,
  status: Schema.String,
  limitSeconds: Schema.Finite
}) {
  override get message() {
    return `${this.tableName} is ${this.status} after ${this.limitSeconds} seconds`
  }
}

type Ended = Pick<Outcome, "result" | "detail">
type Failed = StoreFailure | TableExists | TableNotFound | TableDiffers | TableNotActive | BucketExists | BucketNotFound

/** The table once it is `ACTIVE`; a store may know a new one later than it says so. */
const whenActive = Effect.fnUntraced(function* (tableName: string, patient: Patience.Patience, options: Options) {
  const { find } = yield* TableStore
  const limitSeconds = Duration.toSeconds(options.tableActiveTimeout)
  return yield* patient(find(tableName)).pipe(
    Effect.filterOrFail(
      ({ status }) => status === "ACTIVE",
      ({ status }) => new TableNotActive({ tableName, status, limitSeconds })
    ),
    Effect.catchTag("TableNotFound", () => new TableNotActive({ tableName, status: "missing", limitSeconds })),
    Effect.retry({
      while: (failure) => failure._tag === "TableNotActive",
      schedule: Patience.pausesWithin(options.tableActiveTimeout)
    })
  )
})

const provideTable = Effect.fnUntraced(function* (table: Table, patient: Patience.Patience, options: Options) {
  const { create, find } = yield* TableStore
  const tableName = table.TableName
  const detail = asStored(table, "ACTIVE").key

  const found = yield* patient(find(tableName)).pipe(Effect.catchTag("TableNotFound", () => Effect.void))
  if (found === undefined && options.dryRun) return { result: "created", detail } satisfies Ended
  const isMade =
    found === undefined &&
    (yield* patient(create(table)).pipe(
      Effect.as(true),
      // Somebody else was quicker, or an earlier try that nobody heard the answer of.
      Effect.catchTag("TableExists", () => Effect.succeed(false))
    ))
  const stored = found !== undefined && options.dryRun ? found : yield* whenActive(tableName, patient, options)
  const [first, ...others] = differences(table, stored)
  if (first !== undefined) return yield* new TableDiffers({ tableName, differences: [first, ...others] })
  return { result: isMade ? "created" : "unchanged", detail } satisfies Ended
})

const bucketDetail = (bucket: Bucket): string => {
  const rules = rulesOf(bucket)
  return rules === undefined ? "" : `lifecycle rules: ${rules.length}`
}

/** Whether it had to be made. One that somebody made meanwhile is asked for again: it may not be ours to use. */
const ensureBucket = Effect.fnUntraced(function* (name: string, patient: Patience.Patience, options: Options) {
  const { create, exists } = yield* BucketStore
  if (yield* patient(exists(name))) return false
  if (options.dryRun) return true
  return yield* patient(create(name)).pipe(
    Effect.as(true),
    Effect.catchTag("BucketExists", (failure) =>
      patient(exists(name)).pipe(
        Effect.filterOrFail(
          (isThere) => isThere,
          () => failure
        ),
        Effect.as(false)
      )
    )
  )
})

const provideBucket = Effect.fnUntraced(function* (bucket: Bucket, patient: Patience.Patience, options: Options) {
  const { lifecycle, replaceLifecycle } = yield* BucketStore
  const name = bucket.BucketName
  const rules = rulesOf(bucket)
  const detail = bucketDetail(bucket)

  const isMade = yield* ensureBucket(name, patient, options)
  const made: Ended = { result: isMade ? "created" : "unchanged", detail }
  if (rules === undefined || (isMade && options.dryRun)) return made

  const stored = yield* patient(lifecycle(name))
  if (isSameLifecycle(rules, stored)) return made
  if (!options.dryRun) yield* patient(replaceLifecycle(name, rules))
  return isMade ? made : ({ result: "updated", detail: `${detail}, in place of ${stored.length}` } satisfies Ended)
})

/** Everything that one store should hold. Never fails: what went wrong is an outcome. */
const provideAll = Effect.fnUntraced(function* <A, E extends Failed, R>(
  kind: Outcome["kind"],
  wanted: ReadonlyArray<A>,
  nameOf: (each: A) => string,
  provide: (each: A, patient: Patience.Patience, options: Options) => Effect.Effect<Ended, E, R>,
  options: Options
) {
  const patient = yield* Patience.make(options.storeStartTimeout)
  const lost = yield* Ref.make<string | undefined>(undefined)
  const one = Effect.fnUntraced(function* (each: A) {
    const reason = yield* Ref.get(lost)
    if (reason !== undefined) return { result: "skipped", detail: reason } satisfies Ended
    return yield* provide(each, patient, options).pipe(
      // What does not answer for one of them does not for the others: they need not be waited for each.
      Effect.tapError((failure) =>
        failure instanceof StoreUnavailable ? Ref.set(lost, failure.message) : Effect.void
      ),
      Effect.catch((failure) => Effect.succeed<Ended>({ result: "failed", detail: failure.message }))
    )
  })
  return yield* Effect.forEach(
    wanted,
    (each) => Effect.map(one(each), (ended): Outcome => ({ kind, name: nameOf(each), ...ended })),
    { concurrency: options.concurrency }
  )
})

export const tables = ({ tables: wanted }: Resources, options: Options) =>
  provideAll("table", wanted, ({ TableName }) => TableName, provideTable, options)

export const buckets = ({ buckets: wanted }: Resources, options: Options) =>
  provideAll("bucket", wanted, ({ BucketName }) => BucketName, provideBucket, options)

/**
 * The key of functions, good at the object store when this returns. Only its failure is an outcome: every time it is admitted
 * anew. A store that is no RustFS is told of on stderr, for its operator has to do it.
 */
export const key = Effect.fnUntraced(function* (admitted: StoreKey, options: Options) {
  const { admit } = yield* StoreKeys
  const patient = yield* Patience.make(options.storeStartTimeout)
  return yield* patient(admit(admitted)).pipe(
    Effect.as<ReadonlyArray<Outcome>>([]),
    Effect.catchTag("KeysNotOffered", ({ message }) =>
      Effect.as(Console.error(`warning: let key ${admitted.accessKeyId} use the buckets yourself: ${message}`), [])
    ),
    Effect.catch(({ message }) =>
      Effect.succeed<ReadonlyArray<Outcome>>([
        { kind: "key", name: admitted.accessKeyId, result: "failed", detail: message }
      ])
    )
  )
})

/** What is asked for, in the order in which it is made, without a look at any store. */
export const planned = ({ buckets: allBuckets, tables: allTables }: Resources): ReadonlyArray<Outcome> => [
  ...allTables.map((table): Outcome => ({
    kind: "table",
    name: table.TableName,
    result: "planned",
    detail: asStored(table, "ACTIVE").key
  })),
  ...allBuckets.map((bucket): Outcome => ({
    kind: "bucket",
    name: bucket.BucketName,
    result: "planned",
    detail: bucketDetail(bucket)
  }))
]
