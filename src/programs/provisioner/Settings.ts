/** Everything the Provisioner can be told. */
import * as Setting from "../Setting.ts"

export const settings = {
  ...Setting.group("What to provide", {
    resourcesConfigPath: Setting.Text("RESOURCES_CONFIG_PATH", "resources.yml", "/app/runtime-config/resources.yml"),
    dryRun: Setting.Flag("ESB_DRY_RUN", "Show what would be made, and make nothing", false)
  }),
  ...Setting.group("Where", {
    dynamodbEndpoint: Setting.optional(Setting.Text)("DYNAMODB_ENDPOINT", "URL of the table store", "no tables"),
    s3Endpoint: Setting.optional(Setting.Text)("S3_ENDPOINT", "URL of the object store", "no buckets"),
    region: Setting.Text(["AWS_REGION", "AWS_DEFAULT_REGION"], "Region that requests are signed for", "us-east-1"),
    accessKeyId: Setting.optional(Setting.Text)("AWS_ACCESS_KEY_ID", "Access key of the stores"),
    secretAccessKey: Setting.optional(Setting.Secret)("AWS_SECRET_ACCESS_KEY", "Its secret")
  })
}
export type ProvisionerSettings = Setting.Values<typeof settings>
