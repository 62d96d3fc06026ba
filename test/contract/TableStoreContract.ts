/** What every table store promises, whichever technology keeps the tables. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { asStored, differences, type Table } from "#domain/Table"
import { TableStore } from "#services/TableStore"
import { eventually } from "#test/support/Eventually"

/** A table with everything that a file can ask for. */
const orders: Table = {
  TableName: "esb-orders",
  KeySchema: [
    { AttributeName: "id", KeyType: "HASH" },
    { AttributeName: "at", KeyType: "RANGE" }
  ],
  AttributeDefinitions: [
    { AttributeName: "id", AttributeType: "S" },
    { AttributeName: "at", AttributeType: "N" },
    { AttributeName: "who", AttributeType: "B" }
  ],
  ProvisionedThroughput: { ReadCapacityUnits: 1, WriteCapacityUnits: 2 },
  GlobalSecondaryIndexes: [
    {
      IndexName: "byWho",
      KeySchema: [{ AttributeName: "who", KeyType: "HASH" }],
      Projection: { ProjectionType: "INCLUDE", NonKeyAttributes: ["total"] },
      ProvisionedThroughput: { ReadCapacityUnits: 1, WriteCapacityUnits: 1 }
    }
  ],
  LocalSecondaryIndexes: [
    {
      IndexName: "ofOne",
      KeySchema: [
        { AttributeName: "id", KeyType: "HASH" },
        { AttributeName: "who", KeyType: "RANGE" }
      ],
      Projection: { ProjectionType: "KEYS_ONLY" }
    }
  ]
}

/** The least that a table can be. */
const onDemand = (TableName: string): Table => ({
  TableName,
  KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
  AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
  BillingMode: "PAY_PER_REQUEST"
})

export const suite = (name: string, layer: Layer.Layer<TableStore, unknown>) =>
  describe(`TableStore (${name})`, () => {
    const promises = (title: string, body: (store: TableStore["Service"]) => Effect.Effect<void, unknown>) =>
      it.live(title, () => Effect.flatMap(TableStore, body).pipe(Effect.provide(layer)))

    promises("a table that nobody made is not found", (store) =>
      Effect.gen(function* () {
        const failure = yield* Effect.flip(store.find("esb-nothing"))
        assert.strictEqual(failure._tag, "TableNotFound")
        assert.include(failure.message, "esb-nothing")
      })
    )

    promises("a table that was made becomes ACTIVE, with the keys and indexes that were asked for", (store) =>
      Effect.gen(function* () {
        yield* store.create(orders)
        const first = yield* store.find(orders.TableName)
        assert.strictEqual(first.status, "CREATING")
        const stored = yield* eventually("ACTIVE", store.find(orders.TableName), ({ status }) => status === "ACTIVE")
        assert.deepStrictEqual(stored, asStored(orders, "ACTIVE"))
        assert.strictEqual(stored.key, "id (S) HASH, at (N) RANGE")
        assert.deepStrictEqual(differences(orders, stored), [])
      })
    )

    promises("a second table of one name is refused, and the first one stays", (store) =>
      Effect.gen(function* () {
        const before = onDemand("esb-twice")
        yield* store.create(before)
        const other = { ...orders, TableName: "esb-twice" }
        assert.strictEqual((yield* Effect.flip(store.create(other)))._tag, "TableExists")
        assert.strictEqual((yield* store.find("esb-twice")).key, "id (S) HASH")
      })
    )

    promises("one that is another than asked for is told with both keys", (store) =>
      Effect.gen(function* () {
        yield* store.create(onDemand("esb-another"))
        const stored = yield* store.find("esb-another")
        assert.deepStrictEqual(differences({ ...orders, TableName: "esb-another" }, stored), [
          "its key is id (S) HASH, and id (S) HASH, at (N) RANGE is asked for",
          "its index byWho is missing, and who (B) HASH is asked for",
          "its index ofOne is missing, and id (S) HASH, who (B) RANGE is asked for"
        ])
      })
    )
  })
