import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { isSameLifecycle, type LifecycleRule } from "#domain/Bucket"
import { readFile, resourcesOf } from "#domain/Resources"
import { differences, keyInWords } from "#domain/Table"

const table = (more: object = {}) => ({
  TableName: "orders",
  KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
  AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
  BillingMode: "PAY_PER_REQUEST",
  ...more
})

const complaintsOf = (resources: object): ReadonlyArray<string> => {
  const read = readFile({ resources })
  return Result.isSuccess(read)
    ? []
    : read.failure.problems.map(({ message, path }) => `${path.join(".").replace(/^resources\./, "")}: ${message}`)
}

const ofTable = (more: object) => complaintsOf({ dynamodb: [table(more)] })
const ofBucket = (more: object) => complaintsOf({ s3: [{ BucketName: "files", ...more }] })

describe("resources.yml", () => {
  it("says nothing when it is empty, and nothing of layers", () => {
    for (const file of [null, {}, { resources: null }, { resources: { dynamodb: null, s3: [], layers: [{ a: 1 }] } }]) {
      assert.deepStrictEqual(Result.map(readFile(file), resourcesOf), Result.succeed({ tables: [], buckets: [] }))
    }
  })

  it("takes names that AWS takes, and refuses the others with their place", () => {
    for (const TableName of ["a.b", "A_-9", "x".repeat(255)]) assert.deepStrictEqual(ofTable({ TableName }), [])
    for (const TableName of ["ab", "a b", "x".repeat(256), "täble"]) {
      assert.match(ofTable({ TableName }).join(), /^dynamodb\.0\.TableName: a table or index is named by 3 to 255/)
    }
    for (const BucketName of ["abc", "a.b-c", "0".repeat(63)]) assert.deepStrictEqual(ofBucket({ BucketName }), [])
    const refused = {
      ab: "3 to 63",
      Files: "lower-case",
      "-abc": "both ends",
      "a..b": "two dots",
      "10.0.0.1": "IP address",
      "xn--abc": 'AWS keeps names with "xn--"',
      "abc-s3alias": 'AWS keeps names with "-s3alias"'
    }
    for (const [BucketName, reason] of Object.entries(refused)) {
      const [complaint = "", ...others] = ofBucket({ BucketName })
      assert.deepStrictEqual(others, [])
      assert.isTrue(complaint.startsWith("s3.0.BucketName: ") && complaint.includes(reason), complaint)
    }
  })

  it("refuses a key that it does not know, by name and place", () => {
    assert.match(ofTable({ Tags: [] }).join(), /^dynamodb\.0\.Tags: unknown key; known are TableName, /)
    const rule = { ExpirationInDays: 1, Transitions: [] }
    assert.match(
      ofBucket({ LifecycleConfiguration: { Rules: [rule] } }).join(),
      /^s3\.0\.LifecycleConfiguration\.Rules\.0\.Transitions: unknown key/
    )
  })

  it("wants the attributes that keys are made of, and no others", () => {
    const range = [...table().KeySchema, { AttributeName: "at", KeyType: "RANGE" }]
    assert.deepStrictEqual(ofTable({ KeySchema: range }), [
      'dynamodb.0.AttributeDefinitions: the key attribute "at" is not defined here'
    ])
    const [id] = table().AttributeDefinitions
    assert.deepStrictEqual(ofTable({ AttributeDefinitions: [id, id, { AttributeName: "b", AttributeType: "N" }] }), [
      'dynamodb.0.AttributeDefinitions.1: the attribute "id" is defined twice',
      'dynamodb.0.AttributeDefinitions.2: the attribute "b" is part of no key, so it must not be defined'
    ])
    for (const keys of [[], range.toReversed(), [...range, ...range]]) {
      assert.match(ofTable({ KeySchema: keys }).join(), /^dynamodb\.0\.KeySchema: a key is one HASH attribute/)
    }
  })

  it("wants throughput with PROVISIONED, which is what is meant without a word, and never with PAY_PER_REQUEST", () => {
    const throughput = { ProvisionedThroughput: { ReadCapacityUnits: 1, WriteCapacityUnits: 1 } }
    const { BillingMode: _, ...silent } = table()
    assert.match(complaintsOf({ dynamodb: [silent] }).join(), /^dynamodb\.0\.ProvisionedThroughput: missing/)
    assert.deepStrictEqual(complaintsOf({ dynamodb: [{ ...silent, ...throughput }] }), [])
    assert.match(ofTable(throughput).join(), /^dynamodb\.0\.ProvisionedThroughput: BillingMode PAY_PER_REQUEST/)
    const index = { IndexName: "all", KeySchema: table().KeySchema, Projection: { ProjectionType: "ALL" } }
    const provisioned = { ...silent, ...throughput, GlobalSecondaryIndexes: [index] }
    assert.match(
      complaintsOf({ dynamodb: [provisioned] }).join(),
      /^dynamodb\.0\.GlobalSecondaryIndexes\.0\.ProvisionedThroughput: missing/
    )
  })

  it("wants of an index what AWS wants of it", () => {
    const index = { IndexName: "all", KeySchema: table().KeySchema, Projection: { ProjectionType: "ALL" } }
    assert.match(
      ofTable({ LocalSecondaryIndexes: [index] }).join(),
      /^dynamodb\.0\.LocalSecondaryIndexes\.0\.KeySchema: a local index has the HASH attribute/
    )
    assert.deepStrictEqual(ofTable({ GlobalSecondaryIndexes: [index, index] }), [
      'dynamodb.0.GlobalSecondaryIndexes.1.IndexName: there are two indexes "all"'
    ])
    for (const Projection of [{ ProjectionType: "INCLUDE" }, { ProjectionType: "ALL", NonKeyAttributes: ["a"] }]) {
      assert.match(ofTable({ GlobalSecondaryIndexes: [{ ...index, Projection }] }).join(), /Projection: NonKeyAttr/)
    }
  })

  it("names each thing once", () => {
    assert.deepStrictEqual(complaintsOf({ dynamodb: [table(), table()] }), [
      'dynamodb.1.TableName: "orders" is there already'
    ])
    const bucket = { BucketName: "files" }
    assert.deepStrictEqual(complaintsOf({ s3: [bucket, bucket] }), ['s3.1.BucketName: "files" is there already'])
    const rule = { Id: "a", ExpirationInDays: 1 }
    assert.deepStrictEqual(ofBucket({ LifecycleConfiguration: { Rules: [rule, rule] } }), [
      's3.0.LifecycleConfiguration.Rules.1.Id: there are two rules "a"'
    ])
  })
})

describe("a table that is there", () => {
  const wanted = resourcesOf(Result.getOrThrow(readFile({ resources: { dynamodb: [table()] } }))).tables[0]
  const key = keyInWords(table().KeySchema, table().AttributeDefinitions)

  it("may have indexes that nobody asks for, and no other key", () => {
    if (wanted === undefined) return assert.fail("no table was read")
    const stored = { name: "orders", status: "ACTIVE", key, indexes: new Map([["more", "x (S) HASH"]]) }
    assert.deepStrictEqual(differences(wanted, stored), [])
    assert.deepStrictEqual(differences(wanted, { ...stored, key: "id (N) HASH" }), [
      "its key is id (N) HASH, and id (S) HASH is asked for"
    ])
  })
})

describe("lifecycle rules", () => {
  const rule = (more: Partial<LifecycleRule> = {}): LifecycleRule => ({
    id: "a",
    isEnabled: true,
    prefix: "tmp/",
    expirationDays: 3,
    ...more
  })

  it("are the same in any order, and whatever id a store gave to those without", () => {
    const nameless = rule({ id: undefined })
    assert.isTrue(isSameLifecycle([rule(), rule({ id: "b" })], [rule({ id: "b" }), rule()]))
    assert.isTrue(isSameLifecycle([nameless], [rule({ id: "generated" })]))
    assert.isTrue(isSameLifecycle([nameless, rule()], [rule(), rule({ id: "generated" })]))
    assert.isTrue(isSameLifecycle([], []))
  })

  it("differ by anything that they do, by number, and by a rule of another kind", () => {
    for (const other of [{ id: "b" }, { isEnabled: false }, { prefix: "" }, { expirationDays: 4 }]) {
      assert.isFalse(isSameLifecycle([rule()], [rule(other)]))
    }
    assert.isFalse(isSameLifecycle([rule()], []))
    assert.isFalse(isSameLifecycle([rule()], [rule(), rule({ id: "b" })]))
    assert.isFalse(isSameLifecycle([], [undefined]))
  })
})
