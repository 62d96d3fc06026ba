/**
 * Buckets and the lifetime of their objects.
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html
 */
import type { TemplateContext } from "./TemplateContext.ts"
import * as TemplateFields from "./TemplateFields.ts"
import * as TemplateIntrinsics from "./TemplateIntrinsics.ts"
import type { TemplateMap } from "./TemplateNode.ts"
import type { TemplateResource } from "./TemplateResources.ts"
import type { TemplateScope } from "./TemplateScope.ts"
import type { TemplateSupport } from "./TemplateSupport.ts"

/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const bucketName = /^(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/

const oneStorageClass = "there is one class of storage"
const newestVersion = "the bucket keeps the newest version of an object"

const rules = {
  honoured: ["ExpirationInDays", "Id", "Prefix", "Status"],
  withoutEffect: {
    AbortIncompleteMultipartUpload: "the store decides when to drop an upload that was not finished",
    NoncurrentVersionExpiration: newestVersion,
    NoncurrentVersionExpirationInDays: newestVersion,
    NoncurrentVersionTransition: newestVersion,
    NoncurrentVersionTransitions: newestVersion,
    Transition: oneStorageClass,
    Transitions: oneStorageClass
  },
  refused: {
    ExpirationDate: "objects expire by age; use ExpirationInDays",
    ExpiredObjectDeleteMarker: newestVersion,
    ObjectSizeGreaterThan: "rules choose objects by prefix",
    ObjectSizeLessThan: "rules choose objects by prefix",
    TagFilters: "rules choose objects by prefix"
  }
} as const satisfies TemplateSupport

export const read = (
  context: TemplateContext,
  resource: TemplateResource
): Readonly<Record<string, unknown>> | undefined => {
  const { scope } = context
  const name = context.nameOf(resource)
  if (name === undefined) {
    return undefined
  }
  if (!bucketName.test(name)) {
    scope.report.problem(
      TemplateFields.placeOf(resource.properties, "BucketName"),
      `a bucket is named by 3 to 63 lower-case letters, digits, "." or "-": not "${name}"`
    )
    return undefined
  }
  const lifecycle = readRules(scope, resource.properties)
  return { BucketName: name, ...(lifecycle.length === 0 ? {} : { LifecycleConfiguration: { Rules: lifecycle } }) }
}

const readRules = (scope: TemplateScope, properties: TemplateMap): ReadonlyArray<Readonly<Record<string, unknown>>> => {
  const lifecycle = TemplateFields.map(scope, properties, "LifecycleConfiguration")
  if (lifecycle === undefined) {
    return []
  }
  TemplateFields.check(scope, lifecycle, {
    honoured: ["Rules"],
    describes: ["TransitionDefaultMinimumObjectSize"]
  })
  return (TemplateFields.list(scope, lifecycle, "Rules") ?? []).flatMap((written) => {
    const rule = TemplateIntrinsics.open(scope, written)
    return rule?._tag === "Map" ? readRule(scope, rule) : []
  })
}

/** A rule without an age has nothing to do here; one whose choice of objects is not understood must not delete more. */
const readRule = (scope: TemplateScope, rule: TemplateMap): ReadonlyArray<Readonly<Record<string, unknown>>> => {
  TemplateFields.check(scope, rule, rules)
  const isUnderstood = !Object.keys(rules.refused).some((name) => TemplateFields.has(scope, rule, name))
  TemplateFields.required(scope, rule, "Status")
  const status = TemplateFields.choice(scope, rule, "Status", ["Enabled", "Disabled"])
  const id = TemplateFields.text(scope, rule, "Id")
  const prefix = TemplateFields.text(scope, rule, "Prefix")
  const days = TemplateFields.integer(scope, rule, "ExpirationInDays", { min: 1, max: 2_147_483_647 })
  return days === undefined || !isUnderstood
    ? []
    : [
        {
          ...(id === undefined ? {} : { Id: id }),
          Status: status ?? "Enabled",
          ...(prefix === undefined ? {} : { Prefix: prefix }),
          ExpirationInDays: days
        }
      ]
}
