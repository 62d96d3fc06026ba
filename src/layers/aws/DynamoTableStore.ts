/**
 * Tables in whatever speaks the DynamoDB API: ScyllaDB's Alternator, or AWS itself.
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html
 */
import {
  CreateTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  type TableDescription
} from "@aws-sdk/client-dynamodb"
import { Effect, Layer } from "effect"
import { keyInWords, type StoredTable, type Table } from "#domain/Table"
import { TableExists, TableNotFound, TableStore } from "#services/TableStore"
import * as AwsClient from "./AwsClient.ts"
import * as AwsFailure from "./AwsFailure.ts"

/** An index that tells no status is as far as its table: not every store makes them one by one. */
const statusOf = ({ GlobalSecondaryIndexes = [], TableStatus }: TableDescription): string =>
  TableStatus === "ACTIVE"
    ? (GlobalSecondaryIndexes.find(({ IndexStatus }) => (IndexStatus ?? "ACTIVE") !== "ACTIVE")?.IndexStatus ??
      "ACTIVE")
    : (TableStatus ?? "UNKNOWN")

const storedTable = (name: string, description: TableDescription): StoredTable => {
  const {
    AttributeDefinitions = [],
    GlobalSecondaryIndexes = [],
    KeySchema = [],
    LocalSecondaryIndexes = []
  } = description
  const inWords = (keys: TableDescription["KeySchema"] = []) =>
    keyInWords(
      keys.map(({ AttributeName, KeyType }) => ({ AttributeName, KeyType })),
      AttributeDefinitions.map(({ AttributeName, AttributeType }) => ({ AttributeName, AttributeType }))
    )
  return {
    name,
    status: statusOf(description),
    key: inWords(KeySchema),
    indexes: new Map(
      [...GlobalSecondaryIndexes, ...LocalSecondaryIndexes].map((index) => [
        index.IndexName ?? "",
        inWords(index.KeySchema)
      ])
    )
  }
}

/** The entry of the file as the SDK takes it: the same, in lists that may be written to. */
const creation = (table: Table) => {
  const { AttributeDefinitions, GlobalSecondaryIndexes, KeySchema, LocalSecondaryIndexes, ...rest } = table
  return new CreateTableCommand({
    ...rest,
    AttributeDefinitions: [...AttributeDefinitions],
    KeySchema: [...KeySchema],
    ...(GlobalSecondaryIndexes === undefined ? {} : { GlobalSecondaryIndexes: GlobalSecondaryIndexes.map(writable) }),
    ...(LocalSecondaryIndexes === undefined ? {} : { LocalSecondaryIndexes: LocalSecondaryIndexes.map(writable) })
  })
}

const writable = <I extends NonNullable<Table["LocalSecondaryIndexes"]>[number]>({
  KeySchema,
  Projection,
  ...rest
}: I) => ({
  ...rest,
  KeySchema: [...KeySchema],
  Projection: {
    ProjectionType: Projection.ProjectionType,
    ...(Projection.NonKeyAttributes === undefined ? {} : { NonKeyAttributes: [...Projection.NonKeyAttributes] })
  }
})

export const layer = (options: AwsClient.Options): Layer.Layer<TableStore> =>
  Layer.effect(
    TableStore,
    Effect.gen(function* () {
      const client = yield* Effect.acquireRelease(
        Effect.sync(() => new DynamoDBClient(AwsClient.configOf(options))),
        (each) => Effect.sync(() => each.destroy())
      )
      const failed = (operation: string) => AwsFailure.of({ endpoint: options.endpoint, operation })
      return {
        find: (tableName) =>
          Effect.tryPromise({
            try: (abortSignal) => client.send(new DescribeTableCommand({ TableName: tableName }), { abortSignal }),
            catch: (cause) =>
              AwsFailure.nameOf(cause) === "ResourceNotFoundException"
                ? new TableNotFound({ tableName })
                : failed(`DescribeTable ${tableName}`)(cause)
          }).pipe(Effect.map(({ Table: description = {} }) => storedTable(tableName, description))),
        create: (table) =>
          Effect.tryPromise({
            try: (abortSignal) => client.send(creation(table), { abortSignal }),
            catch: (cause) =>
              AwsFailure.nameOf(cause) === "ResourceInUseException"
                ? new TableExists({ tableName: table.TableName })
                : failed(`CreateTable ${table.TableName}`)(cause)
          }).pipe(Effect.asVoid)
      }
    })
  )
