/**
 * Tables, spelled as the DynamoDB API takes them and as `resources.yml` writes them.
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
 */
import { Schema } from "effect"

/** Tables and indexes are named alike. */
const Name = Schema.String.check(
  Schema.makeFilter((name) =>
    /^[a-zA-Z0-9_.-]{3,255}$/.test(name)
      ? undefined
      : `a table or index is named by 3 to 255 letters, digits, "_", "." or "-": not "${name}"`
  )
)

const AttributeName = Schema.NonEmptyString.check(Schema.isMaxLength(255))

const Key = Schema.Struct({ AttributeName, KeyType: Schema.Literals(["HASH", "RANGE"]) })
type Keys = ReadonlyArray<typeof Key.Type>

const KeySchema = Schema.Array(Key).check(
  Schema.makeFilter((keys) =>
    ["HASH", "HASH RANGE"].includes(keys.map(({ KeyType }) => KeyType).join(" "))
      ? undefined
      : "a key is one HASH attribute, and perhaps one RANGE attribute after it"
  )
)

const Definition = Schema.Struct({ AttributeName, AttributeType: Schema.Literals(["S", "N", "B"]) })

const Units = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const ProvisionedThroughput = Schema.Struct({ ReadCapacityUnits: Units, WriteCapacityUnits: Units })

const Projection = Schema.Struct({
  ProjectionType: Schema.Literals(["ALL", "KEYS_ONLY", "INCLUDE"]),
  NonKeyAttributes: Schema.optionalKey(Schema.NonEmptyArray(AttributeName))
}).check(
  Schema.makeFilter(({ NonKeyAttributes, ProjectionType }) =>
    (ProjectionType === "INCLUDE") === (NonKeyAttributes !== undefined)
      ? undefined
      : "NonKeyAttributes are named with the ProjectionType INCLUDE, and only with it"
  )
)

const LocalIndex = Schema.Struct({ IndexName: Name, KeySchema, Projection })
const GlobalIndex = Schema.Struct({
  ...LocalIndex.fields,
  ProvisionedThroughput: Schema.optionalKey(ProvisionedThroughput)
})

/** How many indexes AWS lets a table have. */
const maxGlobalIndexes = 20
const maxLocalIndexes = 5

const Shape = Schema.Struct({
  TableName: Name,
  KeySchema,
  AttributeDefinitions: Schema.Array(Definition),
  /** `PROVISIONED` when it is not said. */
  BillingMode: Schema.optionalKey(Schema.Literals(["PROVISIONED", "PAY_PER_REQUEST"])),
  ProvisionedThroughput: Schema.optionalKey(ProvisionedThroughput),
  GlobalSecondaryIndexes: Schema.optionalKey(
    Schema.NonEmptyArray(GlobalIndex).check(Schema.isMaxLength(maxGlobalIndexes))
  ),
  LocalSecondaryIndexes: Schema.optionalKey(Schema.NonEmptyArray(LocalIndex).check(Schema.isMaxLength(maxLocalIndexes)))
})
type Shape = typeof Shape.Type

interface Complaint {
  readonly path: ReadonlyArray<string | number>
  readonly issue: string
}

/** AWS wants exactly the attributes that keys are made of, each once. */
const attributeComplaints = (table: Shape): ReadonlyArray<Complaint> => {
  const indexes = [...(table.GlobalSecondaryIndexes ?? []), ...(table.LocalSecondaryIndexes ?? [])]
  const used = new Set([table, ...indexes].flatMap(({ KeySchema: keys }) => keys.map((key) => key.AttributeName)))
  const defined = table.AttributeDefinitions.map((definition) => definition.AttributeName)
  const missing = [...used].filter((name) => !defined.includes(name))
  return [
    ...missing.map((name) => ({
      path: ["AttributeDefinitions"],
      issue: `the key attribute "${name}" is not defined here`
    })),
    ...defined.flatMap((name, position) => [
      ...(used.has(name)
        ? []
        : [
            {
              path: ["AttributeDefinitions", position],
              issue: `the attribute "${name}" is part of no key, so it must not be defined`
            }
          ]),
      ...(defined.indexOf(name) === position
        ? []
        : [{ path: ["AttributeDefinitions", position], issue: `the attribute "${name}" is defined twice` }])
    ])
  ]
}

/** Throughput is told by whoever provisions it, and by nobody else. */
const throughputComplaints = (table: Shape): ReadonlyArray<Complaint> => {
  const isProvisioned = table.BillingMode !== "PAY_PER_REQUEST"
  const holders = [
    { path: [], holder: table },
    ...(table.GlobalSecondaryIndexes ?? []).map((holder, position) => ({
      path: ["GlobalSecondaryIndexes", position],
      holder
    }))
  ]
  return holders
    .filter(({ holder }) => (holder.ProvisionedThroughput !== undefined) !== isProvisioned)
    .map(({ path }) => ({
      path: [...path, "ProvisionedThroughput"],
      issue: isProvisioned
        ? "missing: it is needed unless BillingMode is PAY_PER_REQUEST"
        : "BillingMode PAY_PER_REQUEST has no provisioned throughput"
    }))
}

const indexComplaints = (table: Shape): ReadonlyArray<Complaint> => {
  const [hash, range] = table.KeySchema
  const local = (table.LocalSecondaryIndexes ?? []).map((index, position) => ({
    index,
    path: ["LocalSecondaryIndexes", position]
  }))
  const global = (table.GlobalSecondaryIndexes ?? []).map((index, position) => ({
    index,
    path: ["GlobalSecondaryIndexes", position]
  }))
  const seen = new Set<string>()
  return [
    ...local
      .filter(
        ({ index: { KeySchema: keys } }) =>
          range === undefined || keys.length < 2 || keys[0]?.AttributeName !== hash?.AttributeName
      )
      .map(({ path }) => ({
        path: [...path, "KeySchema"],
        issue: "a local index has the HASH attribute of its table and a RANGE attribute, and its table has both, too"
      })),
    ...[...global, ...local].flatMap(({ index: { IndexName }, path }) => {
      const isAgain = seen.has(IndexName)
      seen.add(IndexName)
      return isAgain ? [{ path: [...path, "IndexName"], issue: `there are two indexes "${IndexName}"` }] : []
    })
  ]
}

export const Table = Shape.check(
  Schema.makeFilter((table) => [
    ...attributeComplaints(table),
    ...throughputComplaints(table),
    ...indexComplaints(table)
  ])
)
export type Table = typeof Table.Type

/** What a store tells of a table that it has: as much as tells one table from another. */
export interface StoredTable {
  readonly name: string
  /** Of the table and all its indexes: `ACTIVE` when every one of them can be used. */
  readonly status: "CREATING" | "ACTIVE" | "DELETING" | (string & {})
  readonly key: string
  /** Keys of indexes by their names. */
  readonly indexes: ReadonlyMap<string, string>
}

/** A key in words: `id (S) HASH, at (N) RANGE`. Two keys are the same when their words are. */
export const keyInWords = (
  keys: ReadonlyArray<{ readonly AttributeName: string | undefined; readonly KeyType: string | undefined }>,
  definitions: ReadonlyArray<{
    readonly AttributeName: string | undefined
    readonly AttributeType: string | undefined
  }>
): string =>
  keys
    .toSorted((one, other) => String(one.KeyType).localeCompare(String(other.KeyType)))
    .map(({ AttributeName: name, KeyType }) => {
      const type = definitions.find(({ AttributeName: defined }) => defined === name)?.AttributeType
      return `${name} (${type ?? "?"}) ${KeyType}`
    })
    .join(", ")

const indexesOf = (table: Table): ReadonlyArray<{ readonly IndexName: string; readonly KeySchema: Keys }> => [
  ...(table.GlobalSecondaryIndexes ?? []),
  ...(table.LocalSecondaryIndexes ?? [])
]

/** The table as a store tells of it that has made it. */
export const asStored = (table: Table, status: StoredTable["status"]): StoredTable => ({
  name: table.TableName,
  status,
  key: keyInWords(table.KeySchema, table.AttributeDefinitions),
  indexes: new Map(
    indexesOf(table).map((index) => [index.IndexName, keyInWords(index.KeySchema, table.AttributeDefinitions)])
  )
})

/**
 * Why a table that is there is not the one that is asked for: each reason names both. Its key has to be the same, and it has to
 * have the indexes that are asked for. Billing, throughput and projections are not looked at: stores of one machine give
 * what they have, and tell them each in its own way.
 */
export const differences = (wanted: Table, stored: StoredTable): ReadonlyArray<string> => {
  const { indexes, key } = asStored(wanted, "ACTIVE")
  return [
    ...(key === stored.key ? [] : [`its key is ${stored.key}, and ${key} is asked for`]),
    ...[...indexes].flatMap(([name, indexKey]) => {
      const found = stored.indexes.get(name)
      if (found === indexKey) return []
      return [`its index ${name} ${found === undefined ? "is missing" : `is ${found}`}, and ${indexKey} is asked for`]
    })
  ]
}
