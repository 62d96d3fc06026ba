/** Where the buckets of a stack live. */
import { Context, type Effect, Schema } from "effect"
import type { LifecycleRule, StoredRule } from "#domain/Bucket"
import type { StoreFailure } from "#domain/StoreFailure"

/** The store has no bucket of this name. */
export class BucketNotFound extends Schema.TaggedError<BucketNotFound>()("BucketNotFound", {
  bucketName: Schema.String
}) {
  override get message() {
    return `There is no bucket ${this.bucketName}`
  }
}

/** The store has a bucket of this name already, perhaps somebody else's. It was not touched. */
export class BucketExists extends Schema.TaggedError<BucketExists>()("BucketExists", {
  bucketName: Schema.String
}) {
  override get message() {
    return `There is a bucket ${this.bucketName} already`
  }
}

export class BucketStore extends Context.Service<
  BucketStore,
  {
    /** Whether there is one that this access key may use; one that it may not is a `StoreDenied`. */
    readonly exists: (bucketName: string) => Effect.Effect<boolean, StoreFailure>
    /** It can be used when this returns. */
    readonly create: (bucketName: string) => Effect.Effect<void, BucketExists | StoreFailure>
    /** In no particular order; none is an empty list. */
    readonly lifecycle: (bucketName: string) => Effect.Effect<ReadonlyArray<StoredRule>, BucketNotFound | StoreFailure>
    /** All rules at once; an empty list takes them away. Some stores take rules for a bucket that is not there. */
    readonly replaceLifecycle: (
      bucketName: string,
      rules: ReadonlyArray<LifecycleRule>
    ) => Effect.Effect<void, BucketNotFound | StoreFailure>
  }
>()("esb/services/BucketStore") {}
