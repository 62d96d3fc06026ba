/** `resources.yml`: tables and buckets, spelled as the AWS APIs spell them. */
import { Effect, Schema } from "effect"
import { readFile } from "node:fs/promises"
import { parse } from "yaml"

const Key = Schema.Struct({ AttributeName: Schema.NonEmptyString, KeyType: Schema.Literals(["HASH", "RANGE"]) })

const Units = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const Throughput = Schema.Struct({ ReadCapacityUnits: Units, WriteCapacityUnits: Units })

const LocalIndex = {
  IndexName: Schema.NonEmptyString,
  KeySchema: Schema.Array(Key),
  Projection: Schema.Struct({
    ProjectionType: Schema.optionalKey(Schema.Literals(["ALL", "KEYS_ONLY", "INCLUDE"])),
    NonKeyAttributes: Schema.optionalKey(Schema.Array(Schema.NonEmptyString))
  })
}

/** @see https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html */
const Table = Schema.Struct({
  TableName: Schema.NonEmptyString,
  KeySchema: Schema.Array(Key),
  AttributeDefinitions: Schema.Array(
    Schema.Struct({ AttributeName: Schema.NonEmptyString, AttributeType: Schema.Literals(["S", "N", "B"]) })
  ),
  BillingMode: Schema.optionalKey(Schema.Literals(["PROVISIONED", "PAY_PER_REQUEST"])),
  ProvisionedThroughput: Schema.optionalKey(Throughput),
  GlobalSecondaryIndexes: Schema.optionalKey(
    Schema.Array(Schema.Struct({ ...LocalIndex, ProvisionedThroughput: Schema.optionalKey(Throughput) }))
  ),
  LocalSecondaryIndexes: Schema.optionalKey(Schema.Array(Schema.Struct(LocalIndex)))
})

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html */
const Bucket = Schema.Struct({
  BucketName: Schema.NonEmptyString,
  LifecycleConfiguration: Schema.optionalKey(
    Schema.Struct({
      Rules: Schema.Array(
        Schema.Struct({
          Id: Schema.optionalKey(Schema.String),
          Status: Schema.optionalKey(Schema.Literals(["Enabled", "Disabled"])),
          Prefix: Schema.optionalKey(Schema.String),
          ExpirationInDays: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)))
        })
      )
    })
  )
})

const File = Schema.NullOr(
  Schema.Struct({
    resources: Schema.optionalKey(
      Schema.NullOr(
        Schema.Struct({
          dynamodb: Schema.optionalKey(Schema.NullOr(Schema.Array(Table))),
          s3: Schema.optionalKey(Schema.NullOr(Schema.Array(Bucket))),
          /** Layers are built into the code of functions; there is nothing to provide. */
          layers: Schema.optionalKey(Schema.Unknown)
        })
      )
    )
  })
)

export interface Resources {
  readonly tables: ReadonlyArray<typeof Table.Type>
  readonly buckets: ReadonlyArray<typeof Bucket.Type>
}

/** The file is not YAML, or says something else than resources. */
class ResourcesInvalid extends Schema.TaggedError<ResourcesInvalid>()("ResourcesInvalid", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.path}: ${this.detail}`
  }
}

/** `undefined` when there is no such file. Unknown keys are refused by name. */
export const read = Effect.fnUntraced(function* (path: string) {
  const invalid = (cause: unknown) =>
    new ResourcesInvalid({ path, detail: cause instanceof Error ? cause.message : String(cause) })
  const text = yield* Effect.tryPromise({
    try: () =>
      readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return undefined
        throw error
      }),
    catch: invalid
  })
  if (text === undefined) return undefined
  const document = yield* Effect.try({ try: (): unknown => parse(text), catch: invalid })
  const file = yield* Schema.decodeUnknownEffect(File, { onExcessProperty: "error", errors: "all" })(document).pipe(
    Effect.mapError(invalid)
  )
  const resources: Resources = { tables: file?.resources?.dynamodb ?? [], buckets: file?.resources?.s3 ?? [] }
  return resources
})
