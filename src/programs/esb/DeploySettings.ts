/** What `esb deploy` can be told. */
import * as Setting from "../Setting.ts"
import { images } from "./ImageSettings.ts"
import { building } from "./Settings.ts"

/** What no other command knows. */
export const deploy = {
  ...Setting.group("Mode", {
    mode: Setting.optional(Setting.OneOf(["embedded", "docker", "containerd"]))(
      "ESB_MODE",
      "What is deployed: code for child processes, or images for containers",
      "as the running stack needs it; embedded when none runs"
    )
  }),
  ...Setting.group("Stores of an embedded stack", {
    dynamodbEndpoint: Setting.optional(Setting.HttpUrl)(
      "DYNAMODB_ENDPOINT",
      "URL of a table store in which the template's tables are made",
      "no tables"
    ),
    s3Endpoint: Setting.optional(Setting.HttpUrl)(
      "S3_ENDPOINT",
      "URL of an object store in which the template's buckets are made",
      "no buckets"
    )
  })
}

const region = Setting.optional(Setting.Text)(
  building.region.env,
  building.region.about,
  "that of the running stack; us-east-1 when none runs"
)

export const deploying = { ...deploy, ...building, ...images, region: { ...region, group: building.region.group } }
export type DeploySettings = Setting.Values<typeof deploying>
