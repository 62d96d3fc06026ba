/** Buckets for tests: known by name and rules, without objects. */
import { Effect, Layer } from "effect"
import type { LifecycleRule } from "#domain/Bucket"
import { BucketExists, BucketNotFound, BucketStore } from "#services/BucketStore"

export const layer: Layer.Layer<BucketStore> = Layer.sync(BucketStore, () => {
  const buckets = new Map<string, ReadonlyArray<LifecycleRule>>()
  return {
    exists: (bucketName) => Effect.sync(() => buckets.has(bucketName)),
    create: (bucketName) =>
      Effect.suspend(() => {
        if (buckets.has(bucketName)) return Effect.fail(new BucketExists({ bucketName }))
        buckets.set(bucketName, [])
        return Effect.void
      }),
    lifecycle: (bucketName) =>
      Effect.suspend(() => {
        const rules = buckets.get(bucketName)
        return rules === undefined ? Effect.fail(new BucketNotFound({ bucketName })) : Effect.succeed(rules)
      }),
    replaceLifecycle: (bucketName, rules) =>
      Effect.suspend(() => {
        if (!buckets.has(bucketName)) return Effect.fail(new BucketNotFound({ bucketName }))
        // Ids as S3 gives them to rules that come without.
        buckets.set(
          bucketName,
          rules.map((rule, position) => ({ ...rule, id: rule.id ?? `rule-${position + 1}` }))
        )
        return Effect.void
      })
  }
})
