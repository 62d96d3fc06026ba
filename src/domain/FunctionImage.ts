/** How the image of a function is named and marked. */
import type { StackIdentity } from "./StackIdentity.ts"

export interface ImageNaming {
  readonly identity: StackIdentity
  /** `127.0.0.1:5010`; `undefined`: the image stays in the engine. */
  readonly registry: string | undefined
  readonly tag: string
}

/** What a repository may be called: lower case letters and digits, single `.`, `_` and `-` between them. */
const safe = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/([._-])[._-]+/g, "$1")
    .replace(/^[._-]+|[._-]+$/g, "")

/** A registry as it stands in references: without the slash that some write behind it. */
export const host = (registry: string): string => registry.replace(/\/+$/, "")

/** `<registry>/<brand>-<function>:<tag>` */
export const reference = ({ identity, registry, tag }: ImageNaming, functionName: string): string => {
  const name = `${safe(`${identity.brand}-${functionName}`)}:${tag}`
  return registry === undefined ? name : `${host(registry)}/${name}`
}

/** Functions whose images would have one name, such as `Save` and `save`: the later would replace the earlier. */
export const collisions = (
  naming: ImageNaming,
  functionNames: ReadonlyArray<string>
): ReadonlyArray<ReadonlyArray<string>> =>
  [...Map.groupBy(functionNames, (name) => reference(naming, name)).values()].filter((names) => names.length > 1)

/** The label that tells what an image was made of. */
export const fingerprintLabel = ({ brand }: StackIdentity): string => `com.${brand}.image_fingerprint`

/** What else the image of a function is labelled with. */
export const labels = (identity: StackIdentity): Readonly<Record<string, string>> => ({
  [`com.${identity.brand}.managed`]: "true",
  [`com.${identity.brand}.project`]: `${identity.brand}-${identity.environment}`,
  [`com.${identity.brand}.env`]: identity.environment,
  [`com.${identity.brand}.kind`]: "function"
})
