/**
 * Buckets and the lifetime of their objects, spelled as CloudFormation and `resources.yml` write them.
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html
 */
import { Schema } from "effect"

/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const nameObjection = (name: string): string | undefined => {
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name)) {
    return `a bucket is named by 3 to 63 lower-case letters, digits, "." or "-", with a letter or digit at both ends: not "${name}"`
  }
  if (name.includes("..")) return `a bucket's name has no two dots in a row: not "${name}"`
  if (/^\d+\.\d+\.\d+\.\d+$/.test(name)) return `a bucket is not named as an IP address: not "${name}"`
  const reserved =
    ["xn--", "sthree-", "amzn-s3-demo-"].find((prefix) => name.startsWith(prefix)) ??
    ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"].find((suffix) => name.endsWith(suffix))
  return reserved === undefined ? undefined : `AWS keeps names with "${reserved}" to itself: not "${name}"`
}

const maxDays = 2_147_483_647

const Rule = Schema.Struct({
  Id: Schema.optionalKey(Schema.NonEmptyString.check(Schema.isMaxLength(255))),
  /** `Enabled` when it is not said. */
  Status: Schema.optionalKey(Schema.Literals(["Enabled", "Disabled"])),
  /** Of the objects that the rule is for; all of them when it is not said. */
  Prefix: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(1024))),
  ExpirationInDays: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: maxDays }))
})

/** As many as AWS lets a bucket have. */
const maxRules = 1_000

const Rules = Schema.Array(Rule).check(
  Schema.isMaxLength(maxRules),
  Schema.makeFilter((rules) => {
    const ids = rules.map(({ Id }) => Id)
    return ids.flatMap((id, position) =>
      id === undefined || ids.indexOf(id) === position
        ? []
        : [{ path: [position, "Id"], issue: `there are two rules "${id}"` }]
    )
  })
)

export const Bucket = Schema.Struct({
  BucketName: Schema.String.check(Schema.makeFilter(nameObjection)),
  /** Without it the rules of a bucket are left as they are; with an empty list they are taken away. */
  LifecycleConfiguration: Schema.optionalKey(Schema.Struct({ Rules }))
})
export type Bucket = typeof Bucket.Type

/** Objects with this prefix leave the bucket so many days after they came. */
export interface LifecycleRule {
  /** A store gives one to a rule that has none. */
  readonly id: string | undefined
  readonly isEnabled: boolean
  readonly prefix: string
  readonly expirationDays: number
}

/** A rule that a bucket has. `undefined`: one of a kind that is not written here, such as a transition. */
export type StoredRule = LifecycleRule | undefined

/** `undefined`: the file says nothing of lifetimes. */
export const rulesOf = ({ LifecycleConfiguration }: Bucket): ReadonlyArray<LifecycleRule> | undefined =>
  LifecycleConfiguration?.Rules.map((rule) => ({
    id: rule.Id,
    isEnabled: rule.Status !== "Disabled",
    prefix: rule.Prefix ?? "",
    expirationDays: rule.ExpirationInDays
  }))

/** Whether a bucket already does what is asked for, in whatever order its store tells the rules. */
export const isSameLifecycle = (wanted: ReadonlyArray<LifecycleRule>, stored: ReadonlyArray<StoredRule>): boolean => {
  const left = [...stored]
  // A rule without an id takes any that does the same, so those with one choose first.
  const inTurn = wanted.toSorted((one, other) => Number(one.id === undefined) - Number(other.id === undefined))
  const isMet = inTurn.every((rule) => {
    const position = left.findIndex(
      (other) =>
        other !== undefined &&
        (rule.id === undefined || rule.id === other.id) &&
        rule.isEnabled === other.isEnabled &&
        rule.prefix === other.prefix &&
        rule.expirationDays === other.expirationDays
    )
    if (position === -1) return false
    left.splice(position, 1)
    return true
  })
  return isMet && left.length === 0
}
