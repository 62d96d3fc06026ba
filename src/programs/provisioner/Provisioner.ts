/** The Provisioner: one look at `resources.yml`, tables and buckets as it asks for, and an end. */
import { Console, Effect, Schema } from "effect"
import type { Resources as Wanted } from "#domain/Resources"
import type { StoreKey } from "#services/StoreKeys"
import { launch } from "../Program.ts"
import * as Provision from "./Provision.ts"
import * as Resources from "./Resources.ts"
import { type ProvisionerSettings, settings } from "./Settings.ts"
import * as Stores from "./Stores.ts"
import * as Summary from "./Summary.ts"

/** Not everything that the file asks for is there now. What could be made was made. */
class NotProvided extends Schema.TaggedError<NotProvided>()("NotProvided", {
  reasons: Schema.Array(Schema.String)
}) {
  override get message() {
    return this.reasons.join("\n")
  }
}

const functionKey = (values: ProvisionerSettings): StoreKey | undefined => {
  const { functionAccessKeyId: accessKeyId, functionSecretAccessKey: secret } = values
  return secret === undefined ? undefined : { accessKeyId, secret }
}

/** Tables first, as ever; one store that is lost keeps nothing out of the other. */
const provide = Effect.fnUntraced(function* (wanted: Wanted, values: ProvisionerSettings) {
  const stores = yield* Stores.choose(wanted, values)
  const planned = Provision.planned(wanted)
  const tables =
    stores.tables === undefined
      ? planned.filter(({ kind }) => kind === "table")
      : yield* Provision.tables(wanted, values).pipe(Effect.provide(Stores.tables(stores.tables)))
  const buckets =
    stores.buckets === undefined
      ? planned.filter(({ kind }) => kind === "bucket")
      : yield* Provision.buckets(wanted, values).pipe(Effect.provide(Stores.buckets(stores.buckets)))
  const key = functionKey(values)
  const keys =
    stores.buckets === undefined || key === undefined || values.dryRun
      ? []
      : yield* Provision.key(key, values).pipe(Effect.provide(Stores.keys(stores.buckets)))
  return [...tables, ...buckets, ...keys]
})

const main = Effect.fnUntraced(function* (values: ProvisionerSettings) {
  const { dryRun, resourcesConfigPath } = values
  const wanted = yield* Resources.read(resourcesConfigPath)
  if (wanted === undefined) {
    yield* Console.error(`warning: there is no ${resourcesConfigPath}, so there is nothing to do`)
  } else if (wanted.tables.length + wanted.buckets.length === 0) {
    yield* Console.error(`warning: ${resourcesConfigPath} asks for no resources`)
  }
  const outcomes = wanted === undefined ? [] : yield* provide(wanted, values)
  if (values.json) yield* Console.log(Summary.json(outcomes, dryRun))
  else if (outcomes.length > 0) yield* Console.log(Summary.text(outcomes, dryRun))
  const reasons = outcomes.filter(({ result }) => result === "failed").map(({ detail, kind }) => `${kind}: ${detail}`)
  if (reasons.length > 0) return yield* new NotProvided({ reasons: [...new Set(reasons)] })
})

launch({
  name: "provisioner",
  about:
    "Makes the tables and buckets that resources.yml asks for, and the lifecycle rules of the buckets. What is there already is " +
    "left as it is; a table with another key is an error.",
  settings,
  isOneShot: true,
  main
})
