/** The Provisioner: one look at `resources.yml`, and an end. It plans; the stores it would provide for are not offered yet. */
import { Console, Effect, Schema } from "effect"
import { launch } from "../Program.ts"
import * as Resources from "./Resources.ts"
import { type ProvisionerSettings, settings } from "./Settings.ts"

/** There is something to make, and nowhere to make it. */
class StoreNotOffered extends Schema.TaggedError<StoreNotOffered>()("StoreNotOffered", {
  count: Schema.Int
}) {
  override get message() {
    return (
      `Nothing was made: this version of esb offers no store for the ${this.count} resources above. ` +
      "Run with --dry-run to see the plan alone; docs/gaps.md says what is missing."
    )
  }
}

const planOf = ({ buckets, tables }: Resources.Resources): ReadonlyArray<string> => [
  ...tables.map((table) => {
    const keys = table.KeySchema.map(({ AttributeName, KeyType }) => `${AttributeName} ${KeyType}`).join(", ")
    const indexes = (table.GlobalSecondaryIndexes ?? []).length + (table.LocalSecondaryIndexes ?? []).length
    return `table   ${table.TableName} (${keys}; ${table.BillingMode ?? "PROVISIONED"}; indexes: ${indexes})`
  }),
  ...buckets.map((bucket) => {
    const rules = bucket.LifecycleConfiguration?.Rules ?? []
    return `bucket  ${bucket.BucketName} (lifecycle rules: ${rules.length})`
  })
]

const main = Effect.fnUntraced(function* ({ dryRun, resourcesConfigPath }: ProvisionerSettings) {
  const resources = yield* Resources.read(resourcesConfigPath)
  if (resources === undefined) {
    return yield* Console.error(`warning: there is no ${resourcesConfigPath}, so there is nothing to do`)
  }
  const plan = planOf(resources)
  if (plan.length === 0) return yield* Console.error(`warning: ${resourcesConfigPath} asks for no resources`)
  yield* Console.log(plan.join("\n"))
  if (!dryRun) return yield* new StoreNotOffered({ count: plan.length })
})

launch({
  name: "provisioner",
  about: "Makes the tables and buckets that resources.yml asks for. This version shows the plan only.",
  settings,
  main
})
