/** The stores that the settings name. What speaks to them is read from disk when one is wanted: `--help` starts without. */
import { Effect, Layer } from "effect"
import type { Resources } from "#domain/Resources"
import type { Options } from "#layers/aws/AwsClient"
import type { BucketStore } from "#services/BucketStore"
import type { StoreKeys } from "#services/StoreKeys"
import type { TableStore } from "#services/TableStore"
import { BadSettings } from "../Program.ts"
import type { ProvisionerSettings } from "./Settings.ts"

/** What is told to the SDK; `undefined` where nothing has to be made. */
interface Stores {
  readonly tables: Options | undefined
  readonly buckets: Options | undefined
}

/** Fails with every setting that is missing for what the file asks for. A dry run asks those stores that it knows. */
export const choose = (resources: Resources, values: ProvisionerSettings): Effect.Effect<Stores, BadSettings> => {
  const { accessKeyId, dryRun, dynamodbEndpoint, region, s3Endpoint, secretAccessKey } = values
  const count = { tables: resources.tables.length, buckets: resources.buckets.length }
  const tables = count.tables === 0 ? undefined : dynamodbEndpoint
  const buckets = count.buckets === 0 ? undefined : s3Endpoint
  const isAsked = tables !== undefined || buckets !== undefined
  const missing = (isMissing: boolean, told: string) => (isMissing ? [told] : [])
  const complaints = [
    ...missing(
      count.tables > 0 && tables === undefined && !dryRun,
      `DYNAMODB_ENDPOINT (--dynamodb-endpoint) is required: tables are asked for (${count.tables})`
    ),
    ...missing(
      count.buckets > 0 && buckets === undefined && !dryRun,
      `S3_ENDPOINT (--s3-endpoint) is required: buckets are asked for (${count.buckets})`
    ),
    ...missing(isAsked && accessKeyId === undefined, "AWS_ACCESS_KEY_ID (--access-key-id) is required"),
    ...missing(isAsked && secretAccessKey === undefined, "AWS_SECRET_ACCESS_KEY is required")
  ]
  if (complaints.length > 0) return Effect.fail(new BadSettings({ program: "provisioner", complaints }))
  const at = (endpoint: string | undefined): Options | undefined =>
    endpoint === undefined || accessKeyId === undefined || secretAccessKey === undefined
      ? undefined
      : { endpoint, region, accessKeyId, secretAccessKey, requestTimeout: values.storeRequestTimeout }
  return Effect.succeed({ tables: at(tables), buckets: at(buckets) })
}

export const tables = (options: Options): Layer.Layer<TableStore> =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("#layers/aws/DynamoTableStore")),
      (DynamoTableStore) => DynamoTableStore.layer(options)
    )
  )

export const buckets = (options: Options): Layer.Layer<BucketStore> =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("#layers/aws/S3BucketStore")),
      (S3BucketStore) => S3BucketStore.layer(options)
    )
  )

export const keys = (options: Options): Layer.Layer<StoreKeys> =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("#layers/aws/RustfsStoreKeys")),
      (RustfsStoreKeys) => RustfsStoreKeys.layer(options)
    )
  )
