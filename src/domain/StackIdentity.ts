/**
 * Which stack this is: its brand and its environment, and every name that is made from the two. Two stacks on one host
 * with different identities never see each other's workers.
 */
import { Result, Schema } from "effect"
import * as FunctionName from "./FunctionName.ts"
import { OwnerId } from "./Worker.ts"

export interface StackIdentity {
  /** Lower case letters, digits and single dashes: `esb`, `acme-core`. */
  readonly brand: string
  /** As it was given: `e2e-docker`. */
  readonly environment: string
}

/** Where a brand may come from; the first source that yields one wins, in this order. */
export interface BrandSources {
  readonly brandSlug: string | undefined
  readonly projectName: string | undefined
  /** The workers' network. `bridge`, `host` and `none` belong to the engine and name nobody. */
  readonly network: string | undefined
}

/** No source yields a brand, or the environment has no name. */
export class IdentityUnknown extends Schema.TaggedError<IdentityUnknown>()("IdentityUnknown", {
  message: Schema.String
}) {}

const enginesOwn: ReadonlySet<string> = new Set(["bridge", "host", "none"])

/** Lower case; every run of other characters than `a–z0–9` becomes one dash; none at the ends. */
const normalise = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")

/** Takes `-<suffix>` or `_<suffix>` off the end, whatever its case. */
const without = (name: string, suffix: string): string => {
  const start = name.length - suffix.length - 1
  const tail = name.slice(Math.max(0, start)).toLowerCase()
  return tail === `-${suffix.toLowerCase()}` || tail === `_${suffix.toLowerCase()}` ? name.slice(0, start) : name
}

const brandOf = (sources: BrandSources, environment: string): string => {
  const { brandSlug = "", projectName = "", network = "" } = sources
  return (
    normalise(brandSlug) ||
    normalise(without(projectName, environment)) ||
    normalise(projectName) ||
    (enginesOwn.has(network) ? "" : normalise(without(without(network, "external"), environment)) || normalise(network))
  )
}

export const resolve = (sources: BrandSources, environment: string): Result.Result<StackIdentity, IdentityUnknown> => {
  const named = environment.trim()
  if (named === "") return Result.fail(new IdentityUnknown({ message: "ENV must name the environment" }))
  const brand = brandOf(sources, named)
  return brand === ""
    ? Result.fail(
        new IdentityUnknown({
          message: "the stack has no brand: set ESB_BRAND_SLUG, PROJECT_NAME or CONTAINERS_NETWORK"
        })
      )
    : Result.succeed({ brand, environment: named })
}

/** The prefix of this brand's environment variables: `ACME_CORE`. */
export const environmentPrefix = (identity: StackIdentity): string => identity.brand.toUpperCase().replaceAll("-", "_")

/** The labels that mark a container as one of this stack's workers, whoever owns it. */
export const selectorLabels = (identity: StackIdentity): Readonly<Record<string, string>> => ({
  created_by: `${identity.brand}-agent`,
  [`${identity.brand}_env`]: identity.environment,
  [`com.${identity.brand}.kind`]: "function"
})

/** Where a worker's own listener is: `host:port`. */
export const listenerLabel = (identity: StackIdentity): string => `com.${identity.brand}.listener`

/** Names of the external extensions that were started in a worker; absent where there are none. */
export const extensionsLabel = (identity: StackIdentity): string => `com.${identity.brand}.extensions`

export interface LabelledWorker {
  readonly functionName: FunctionName.FunctionName
  readonly owner: OwnerId
  readonly specHash: string
}

/** Everything a worker is labelled with, so that it can be told apart, found again and adopted. */
export const workerLabels = (identity: StackIdentity, worker: LabelledWorker): Readonly<Record<string, string>> => ({
  ...selectorLabels(identity),
  [`${identity.brand}_function`]: worker.functionName,
  [`com.${identity.brand}.owner`]: worker.owner,
  [`com.${identity.brand}.spec`]: worker.specHash
})

/** Whose worker it is that has these labels; `undefined` where they do not tell. */
export const labelledWorker = (
  identity: StackIdentity,
  labels: Readonly<Record<string, string>>
): LabelledWorker | undefined => {
  const functionName = labels[`${identity.brand}_function`] ?? ""
  const owner = labels[`com.${identity.brand}.owner`] ?? ""
  const specHash = labels[`com.${identity.brand}.spec`] ?? ""
  return FunctionName.is(functionName) && owner !== "" && specHash !== ""
    ? { functionName, owner: OwnerId.make(owner), specHash }
    : undefined
}
