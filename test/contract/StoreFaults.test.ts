/** What the stores of the AWS SDK make of a server that is down, busy, slow, strict, or none of its kind. */
import { createServer, type ServerResponse } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Redacted } from "effect"
import type { Options } from "#layers/aws/AwsClient"
import * as DynamoTableStore from "#layers/aws/DynamoTableStore"
import * as S3BucketStore from "#layers/aws/S3BucketStore"
import { BucketStore } from "#services/BucketStore"
import { TableStore } from "#services/TableStore"
import * as FreePort from "#test/support/FreePort"
import * as StoreServers from "#test/support/StoreServers"

const at = (port: number): Options => ({
  endpoint: `http://127.0.0.1:${port}`,
  region: "us-east-1",
  accessKeyId: "esb",
  secretAccessKey: Redacted.make("esbsecret"),
  requestTimeout: Duration.millis(300)
})

const findTable = (options: Options) =>
  Effect.flatMap(TableStore, (store) => Effect.flip(store.find("esb-orders"))).pipe(
    Effect.provide(DynamoTableStore.layer(options))
  )

const lookForBucket = (options: Options) =>
  Effect.flatMap(BucketStore, (store) => Effect.flip(store.exists("esb-files"))).pipe(
    Effect.provide(S3BucketStore.layer(options))
  )

const makeBucket = (options: Options) =>
  Effect.flatMap(BucketStore, (store) => Effect.flip(store.create("esb-files"))).pipe(
    Effect.provide(S3BucketStore.layer(options))
  )

/** Answers everything alike. */
const answering = (answer: (response: ServerResponse) => void) =>
  Effect.map(StoreServers.listening(createServer((_, response) => answer(response))), at)

const awsError = (status: number, type: string) =>
  answering((response) =>
    response
      .writeHead(status, { "content-type": "application/x-amz-json-1.0" })
      .end(JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${type}`, message: "said so" }))
  )

describe("a store that does not answer", () => {
  it.live("is unavailable when nobody listens", () =>
    Effect.gen(function* () {
      const options = at(yield* FreePort.find)
      for (const failure of [yield* findTable(options), yield* lookForBucket(options)]) {
        assert.strictEqual(failure._tag, "StoreUnavailable")
        assert.include(failure.message, `${options.endpoint} does not answer: connect ECONNREFUSED`)
      }
    })
  )

  it.live("is unavailable when its name has no address yet", () =>
    Effect.gen(function* () {
      const failure = yield* findTable({ ...at(1), endpoint: "http://database.invalid:8000" })
      assert.strictEqual(failure._tag, "StoreUnavailable")
    })
  )

  it.live("is unavailable when an answer takes longer than one request may", () =>
    Effect.gen(function* () {
      const failure = yield* findTable(yield* answering(() => undefined))
      assert.strictEqual(failure._tag, "StoreUnavailable")
    })
  )

  it.live("is unavailable when it drops the connection, or says that it is busy", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        (yield* findTable(yield* answering((response) => response.destroy())))._tag,
        "StoreUnavailable"
      )
      for (const [status, type] of [
        [503, "ServiceUnavailable"],
        [500, "InternalServerError"],
        [400, "ThrottlingException"]
      ] as const) {
        const failure = yield* findTable(yield* awsError(status, type))
        assert.strictEqual(failure._tag, "StoreUnavailable", type)
        assert.include(failure.message, `${type}: said so`)
      }
    })
  )
})

describe("a store that will not", () => {
  it.live("denies a key that it does not know, in whatever words", () =>
    Effect.gen(function* () {
      for (const [status, type] of [
        [400, "UnrecognizedClientException"],
        [400, "InvalidSignatureException"],
        [403, "SomethingElse"]
      ] as const) {
        const failure = yield* findTable(yield* awsError(status, type))
        assert.strictEqual(failure._tag, "StoreDenied", type)
        assert.include(failure.message, `denies DescribeTable esb-orders to this access key: ${type}: said so`)
      }
      const strict = { ...(yield* StoreServers.bucketsWithoutLifecycle), accessKeyId: "nobody" }
      const asked = yield* lookForBucket(strict)
      assert.strictEqual(asked._tag, "StoreDenied")
      assert.include(asked.message, "HTTP 403: the key or its secret is wrong")
      const made = yield* makeBucket(strict)
      assert.strictEqual(made._tag, "StoreDenied")
      assert.include(made.message, "InvalidAccessKeyId")
    })
  )

  it.live("refuses what it does not know how to do, and is not asked again", () =>
    Effect.gen(function* () {
      const failure = yield* findTable(yield* awsError(400, "ValidationException"))
      assert.strictEqual(failure._tag, "StoreRefused")
      assert.include(failure.message, "refuses DescribeTable esb-orders: ValidationException: said so")
    })
  )

  it.live("refuses when it is another kind of server", () =>
    Effect.gen(function* () {
      const options = yield* answering((response) => response.writeHead(404).end("<html>no such page</html>"))
      assert.strictEqual((yield* findTable(options))._tag, "StoreRefused")
      assert.strictEqual((yield* makeBucket(options))._tag, "StoreRefused")
    })
  )
})
