import { Effect, Layer } from "effect"
import * as S3BucketStore from "#layers/aws/S3BucketStore"
import * as MemoryBucketStore from "#layers/memory/MemoryBucketStore"
import { needs } from "#test/support/Engines"
import * as StoreServers from "#test/support/StoreServers"
import { suite } from "./BucketStoreContract.ts"

suite("memory", MemoryBucketStore.layer, { hasLifecycle: true })

suite("s3rver", Layer.unwrap(Effect.map(StoreServers.bucketsWithoutLifecycle, S3BucketStore.layer)), {
  hasLifecycle: false
})

suite("MinIO", Layer.unwrap(Effect.map(StoreServers.buckets, S3BucketStore.layer)), {
  hasLifecycle: true,
  ...needs("minio")
})
