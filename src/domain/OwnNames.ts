/**
 * Names that a name server answers for itself, before it asks anybody else. Each is a zone of its own: what lies below it and is
 * not named either does not exist. `*.s3-storage` stands for everything below `s3-storage`, dots included, as buckets have them.
 */
import { Result, Schema } from "effect"
import { Ipv4Address } from "./Ipv4Address.ts"

export interface OwnName {
  /** Lower case, without the dot at its end and without `*.`. */
  readonly name: string
  /** It is everything below the name, not the name itself. */
  readonly isWildcard: boolean
  /** Four numbers. */
  readonly address: string
}

const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/
const longestName = 253

const Name = Schema.String.check(
  Schema.isMaxLength(longestName),
  Schema.makeFilter((name: string) => name.split(".").every((part) => label.test(part)))
)
const Entry = Schema.Struct({
  name: Name,
  address: Ipv4Address
})
const decodeEntry = Schema.decodeUnknownResult(Entry)

/** As names are compared: `S3-Storage.` is `s3-storage`. */
export const plain = (name: string): string => name.toLowerCase().replace(/\.$/, "")

/** `gateway=10.89.0.3` or `*.s3-storage=10.89.0.4`; fails with what it is that cannot be read. */
export const read = (text: string): Result.Result<OwnName, string> => {
  const [, star, name, address] = /^(\*\.)?([^=]*)=(.*)$/.exec(text) ?? []
  return decodeEntry({ name: plain(name?.trim() ?? ""), address: address?.trim() }).pipe(
    Result.mapBoth({
      onFailure: () => text,
      onSuccess: (entry) => ({ ...entry, isWildcard: star !== undefined })
    })
  )
}

export const write = ({ address, isWildcard, name }: OwnName): string => `${isWildcard ? "*." : ""}${name}=${address}`

export type Found =
  /** Somebody else knows. */
  | { readonly _tag: "Elsewhere" }
  /** Nothing goes by that name. */
  | { readonly _tag: "Absent"; readonly zone: string }
  /** The name exists. It may have no address, for it is only part of longer ones. */
  | { readonly _tag: "Present"; readonly zone: string; readonly addresses: ReadonlyArray<string> }

const elsewhere: Found = { _tag: "Elsewhere" }

/** `a.b.c`, `b.c`, `c`. */
const withParents = (name: string): ReadonlyArray<string> => {
  const labels = name.split(".")
  return labels.map((_, at) => labels.slice(at).join("."))
}

/** Looks a name up, as {@link plain} writes it. */
export const make = (names: ReadonlyArray<OwnName>): ((name: string) => Found) => {
  const addresses = Map.groupBy(names, ({ isWildcard, name }) => (isWildcard ? `*.${name}` : name))
  const zones = new Set(names.map(({ name }) => name))
  const addressesOf = (key: string) => (addresses.get(key) ?? []).map(({ address }) => address)
  return (name) => {
    const zone = withParents(name).find((each) => zones.has(each))
    if (zone === undefined) return elsewhere
    if (zone === name) return { _tag: "Present", zone, addresses: addressesOf(name) }
    if ([...zones].some((each) => each.endsWith(`.${name}`))) return { _tag: "Present", zone, addresses: [] }
    const below = addressesOf(`*.${zone}`)
    return below.length === 0 ? { _tag: "Absent", zone } : { _tag: "Present", zone, addresses: below }
  }
}
