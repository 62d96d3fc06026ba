/**
 * Buckets in whatever speaks the S3 API: RustFS, or AWS itself. Addressed by path, so that a store needs one host name and not
 * one for each bucket.
 */
import {
  CreateBucketCommand,
  DeleteBucketLifecycleCommand,
  GetBucketLifecycleConfigurationCommand,
  HeadBucketCommand,
  type LifecycleRule as AwsRule,
  PutBucketLifecycleConfigurationCommand,
  S3Client
} from "@aws-sdk/client-s3"
import { Effect, Layer } from "effect"
import type { LifecycleRule, StoredRule } from "#domain/Bucket"
import { BucketExists, BucketNotFound, BucketStore } from "#services/BucketStore"
import * as AwsClient from "./AwsClient.ts"
import * as AwsFailure from "./AwsFailure.ts"

const awsRule = ({ expirationDays, id, isEnabled, prefix }: LifecycleRule): AwsRule => ({
  ...(id === undefined ? {} : { ID: id }),
  Status: isEnabled ? "Enabled" : "Disabled",
  Filter: { Prefix: prefix },
  Expiration: { Days: expirationDays }
})

/** Older rules have their prefix beside the filter. Whatever else a rule chooses by or does is nothing that we write. */
const storedRule = ({ Expiration, Filter, ID, Prefix, Status, ...others }: AwsRule): StoredRule => {
  const { Prefix: chosen, ...otherChoices } = Filter ?? {}
  const { Days, ...otherEnds } = Expiration ?? {}
  const isOurKind = [others, otherChoices, otherEnds].every((rest) =>
    // Some stores tell `false` of what AWS says nothing of.
    Object.values(rest).every((value) => value === undefined || value === false)
  )
  return isOurKind && Days !== undefined
    ? { id: ID, isEnabled: Status === "Enabled", prefix: chosen ?? Prefix ?? "", expirationDays: Days }
    : undefined
}

export const layer = (options: AwsClient.Options): Layer.Layer<BucketStore> =>
  Layer.effect(
    BucketStore,
    Effect.gen(function* () {
      const client = yield* Effect.acquireRelease(
        Effect.sync(() => new S3Client({ ...AwsClient.configOf(options), forcePathStyle: true })),
        (each) => Effect.sync(() => each.destroy())
      )
      const failed = (operation: string) => AwsFailure.of({ endpoint: options.endpoint, operation })
      /** A bucket that is not there may be told at any request but those that ask for it. */
      const failedOn = (operation: string, bucketName: string) => (cause: unknown) =>
        AwsFailure.nameOf(cause) === "NoSuchBucket"
          ? new BucketNotFound({ bucketName })
          : failed(`${operation} ${bucketName}`)(cause)

      return {
        exists: (bucketName) =>
          Effect.tryPromise({
            try: (abortSignal) =>
              client.send(new HeadBucketCommand({ Bucket: bucketName }), { abortSignal }).then(
                () => true,
                (cause: unknown) => {
                  // The answer to HEAD has no body, so that its status is all it tells.
                  if (AwsFailure.statusOf(cause) === 404) return false
                  throw cause
                }
              ),
            catch: failed(`HeadBucket ${bucketName}`)
          }),
        create: (bucketName) =>
          Effect.tryPromise({
            try: (abortSignal) => client.send(new CreateBucketCommand({ Bucket: bucketName }), { abortSignal }),
            catch: (cause) =>
              ["BucketAlreadyOwnedByYou", "BucketAlreadyExists"].includes(AwsFailure.nameOf(cause) ?? "")
                ? new BucketExists({ bucketName })
                : failed(`CreateBucket ${bucketName}`)(cause)
          }).pipe(Effect.asVoid),
        lifecycle: (bucketName) =>
          Effect.tryPromise({
            try: (abortSignal) =>
              client
                .send(new GetBucketLifecycleConfigurationCommand({ Bucket: bucketName }), { abortSignal })
                .then(({ Rules = [] }) => Rules.map(storedRule))
                .catch((cause: unknown) => {
                  if (AwsFailure.nameOf(cause) === "NoSuchLifecycleConfiguration") return []
                  throw cause
                }),
            catch: failedOn("GetBucketLifecycleConfiguration", bucketName)
          }),
        replaceLifecycle: (bucketName, rules) =>
          Effect.tryPromise({
            try: async (abortSignal) => {
              if (rules.length === 0) {
                await client.send(new DeleteBucketLifecycleCommand({ Bucket: bucketName }), { abortSignal })
                return
              }
              const LifecycleConfiguration = { Rules: rules.map(awsRule) }
              await client.send(
                new PutBucketLifecycleConfigurationCommand({ Bucket: bucketName, LifecycleConfiguration }),
                { abortSignal }
              )
            },
            catch: failedOn("PutBucketLifecycleConfiguration", bucketName)
          })
      }
    })
  )
