/** Everything the Provisioner can be told. */
import { Duration } from "effect"
import * as Setting from "../Setting.ts"

export const settings = {
  ...Setting.group("What to provide", {
    resourcesConfigPath: Setting.Text("RESOURCES_CONFIG_PATH", "resources.yml", "/app/runtime-config/resources.yml"),
    dryRun: Setting.Flag(
      "ESB_DRY_RUN",
      "Ask the stores that are named what they have, show what would be made, and make nothing",
      false
    ),
    json: Setting.Flag("ESB_JSON", "Print the summary as JSON", false)
  }),
  ...Setting.group("Where", {
    dynamodbEndpoint: Setting.optional(Setting.HttpUrl)("DYNAMODB_ENDPOINT", "URL of the table store", "no tables"),
    s3Endpoint: Setting.optional(Setting.HttpUrl)("S3_ENDPOINT", "URL of the object store", "no buckets"),
    region: Setting.Text(["AWS_REGION", "AWS_DEFAULT_REGION"], "Region that requests are signed for", "us-east-1"),
    accessKeyId: Setting.optional(Setting.Text)("AWS_ACCESS_KEY_ID", "Access key of the stores"),
    secretAccessKey: Setting.optional(Setting.Secret)("AWS_SECRET_ACCESS_KEY", "Its secret"),
    functionAccessKeyId: Setting.Text(
      "ESB_ACCESS_KEY_ID",
      "Access key of functions: RustFS is told to let it read and write, where its secret is given",
      "esb"
    ),
    functionSecretAccessKey: Setting.optional(Setting.Secret)("ESB_SECRET_ACCESS_KEY", "Its secret")
  }),
  ...Setting.group("How long and how many", {
    storeStartTimeout: Setting.Seconds(
      "STORE_START_TIMEOUT",
      "How long a store that does not answer is asked again",
      Duration.seconds(120)
    ),
    storeRequestTimeout: Setting.Seconds(
      "STORE_REQUEST_TIMEOUT",
      "How long one request to a store may take",
      Duration.seconds(10)
    ),
    tableActiveTimeout: Setting.Seconds(
      "TABLE_ACTIVE_TIMEOUT",
      "How long a table may take to become ACTIVE",
      Duration.seconds(60)
    ),
    concurrency: Setting.Int({ min: 1, max: 64 })(
      "PROVISION_CONCURRENCY",
      "How many tables, or buckets, are provided at once",
      4
    )
  })
}
export type ProvisionerSettings = Setting.Values<typeof settings>
