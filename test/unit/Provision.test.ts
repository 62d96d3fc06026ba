import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { Bucket } from "#domain/Bucket"
import { StoreUnavailable } from "#domain/StoreFailure"
import type { Table } from "#domain/Table"
import * as MemoryBucketStore from "#layers/memory/MemoryBucketStore"
import * as MemoryTableStore from "#layers/memory/MemoryTableStore"
import * as Provision from "#programs/provisioner/Provision"
import { BucketStore } from "#services/BucketStore"
import { TableNotFound, TableStore } from "#services/TableStore"

const options: Provision.Options = {
  dryRun: false,
  storeStartTimeout: Duration.seconds(30),
  tableActiveTimeout: Duration.seconds(20),
  concurrency: 2
}

const table = (TableName: string, AttributeType: "S" | "N" = "S"): Table => ({
  TableName,
  KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
  AttributeDefinitions: [{ AttributeName: "id", AttributeType }],
  BillingMode: "PAY_PER_REQUEST"
})

const bucket = (BucketName: string, days?: number): Bucket => ({
  BucketName,
  ...(days === undefined ? {} : { LifecycleConfiguration: { Rules: [{ ExpirationInDays: days }] } })
})

const results = (outcomes: ReadonlyArray<Provision.Outcome>) => outcomes.map(({ name, result }) => `${name} ${result}`)

/** Runs it to its end, however much time it waits. */
const inTime = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect)
    yield* TestClock.adjust("10 minutes")
    return yield* Fiber.join(fiber)
  })

const tablesOf = (tables: ReadonlyArray<Table>, more: Partial<Provision.Options> = {}) =>
  inTime(Provision.tables({ tables, buckets: [] }, { ...options, ...more }))

const bucketsOf = (buckets: ReadonlyArray<Bucket>, more: Partial<Provision.Options> = {}) =>
  inTime(Provision.buckets({ tables: [], buckets }, { ...options, ...more }))

describe("tables", () => {
  it.effect("are made once, in the order of the file, and can be used", () =>
    Effect.gen(function* () {
      const wanted = ["one", "two", "three"].map((name) => table(name))
      assert.deepStrictEqual(results(yield* tablesOf(wanted)), ["one created", "two created", "three created"])
      const { find } = yield* TableStore
      assert.strictEqual((yield* find("three")).status, "ACTIVE")
      assert.deepStrictEqual(results(yield* tablesOf(wanted)), ["one unchanged", "two unchanged", "three unchanged"])
    }).pipe(Effect.provide(MemoryTableStore.layer))
  )

  it.effect("with another key are an error that names both, and keep nothing else from being made", () =>
    Effect.gen(function* () {
      yield* tablesOf([table("one")])
      const [first, second] = yield* tablesOf([table("one", "N"), table("two")])
      assert.strictEqual(first?.result, "failed")
      assert.include(
        first?.detail,
        "one is there and is another table: its key is id (S) HASH, and id (N) HASH is asked"
      )
      assert.strictEqual(second?.result, "created")
    }).pipe(Effect.provide(MemoryTableStore.layer))
  )

  it.effect("are only looked at in a dry run", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(results(yield* tablesOf([table("one")], { dryRun: true })), ["one created"])
      const { find } = yield* TableStore
      assert.strictEqual((yield* Effect.flip(find("one")))._tag, "TableNotFound")
    }).pipe(Effect.provide(MemoryTableStore.layer))
  )

  it.effect("that never become ACTIVE are an error that names the limit", () =>
    Effect.gen(function* () {
      const [outcome] = yield* tablesOf([table("one")])
      assert.strictEqual(outcome?.result, "failed")
      assert.strictEqual(outcome?.detail, "one is CREATING after 20 seconds")
    }).pipe(Effect.provide(stuck))
  )
})

/** A store that begins to make tables, and never ends. */
const stuck = Layer.sync(TableStore, () => {
  const names = new Set<string>()
  return {
    find: (tableName) =>
      names.has(tableName)
        ? Effect.succeed({ name: tableName, status: "CREATING", key: "id (S) HASH", indexes: new Map() })
        : Effect.fail(new TableNotFound({ tableName })),
    create: ({ TableName }) => Effect.sync(() => void names.add(TableName))
  }
})

describe("buckets", () => {
  it.effect("are made once, with their rules", () =>
    Effect.gen(function* () {
      const wanted = [bucket("plain"), bucket("files", 3)]
      assert.deepStrictEqual(results(yield* bucketsOf(wanted)), ["plain created", "files created"])
      assert.deepStrictEqual(results(yield* bucketsOf(wanted)), ["plain unchanged", "files unchanged"])
      const { lifecycle } = yield* BucketStore
      assert.strictEqual((yield* lifecycle("files"))[0]?.expirationDays, 3)
    }).pipe(Effect.provide(MemoryBucketStore.layer))
  )

  it.effect("have other rules replaced, and left alone where the file says nothing of them", () =>
    Effect.gen(function* () {
      yield* bucketsOf([bucket("files", 3)])
      assert.deepStrictEqual(results(yield* bucketsOf([bucket("files")])), ["files unchanged"])
      assert.deepStrictEqual(results(yield* bucketsOf([bucket("files", 4)], { dryRun: true })), ["files updated"])
      const { lifecycle } = yield* BucketStore
      assert.strictEqual((yield* lifecycle("files"))[0]?.expirationDays, 3)
      assert.deepStrictEqual(results(yield* bucketsOf([bucket("files", 4)])), ["files updated"])
      assert.strictEqual((yield* lifecycle("files"))[0]?.expirationDays, 4)
      const none: Bucket = { BucketName: "files", LifecycleConfiguration: { Rules: [] } }
      assert.deepStrictEqual(results(yield* bucketsOf([none])), ["files updated"])
      assert.deepStrictEqual(yield* lifecycle("files"), [])
    }).pipe(Effect.provide(MemoryBucketStore.layer))
  )
})

/** Buckets behind a store that is unavailable for the first so many requests. */
const starting = (failures: number) =>
  Layer.effect(
    BucketStore,
    Effect.gen(function* () {
      const store = yield* BucketStore
      let left = failures
      return {
        ...store,
        exists: (name) =>
          Effect.suspend(() =>
            left-- > 0
              ? Effect.fail(new StoreUnavailable({ endpoint: "http://store", detail: "starting" }))
              : store.exists(name)
          )
      }
    })
  ).pipe(Layer.provide(MemoryBucketStore.layer))

describe("a store that is still starting", () => {
  it.effect("is waited for", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(results(yield* bucketsOf([bucket("files")])), ["files created"])
    }).pipe(Effect.provide(starting(8)))
  )

  it.effect("is given up after its limit, and not waited for again for what is left", () =>
    Effect.gen(function* () {
      const outcomes = yield* bucketsOf([bucket("one"), bucket("two"), bucket("three")], { concurrency: 1 })
      assert.deepStrictEqual(results(outcomes), ["one failed", "two skipped", "three skipped"])
      assert.match(outcomes[0]?.detail ?? "", /^http:\/\/store does not answer: not within 3\d\.\d seconds: starting$/)
    }).pipe(Effect.provide(starting(1_000)))
  )
})
