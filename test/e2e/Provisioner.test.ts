/** The Provisioner as Compose runs it: the built program against servers of the DynamoDB and S3 APIs. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import type { Options } from "#layers/aws/AwsClient"
import * as DynamoTableStore from "#layers/aws/DynamoTableStore"
import * as S3BucketStore from "#layers/aws/S3BucketStore"
import { BucketStore } from "#services/BucketStore"
import { TableStore } from "#services/TableStore"
import * as Cli from "#test/support/Cli"
import { needs } from "#test/support/Engines"
import * as FreePort from "#test/support/FreePort"
import * as StoreServers from "#test/support/StoreServers"

const table = (name: string, key = "id") => `
    - TableName: ${name}
      KeySchema: [{ AttributeName: ${key}, KeyType: HASH }]
      AttributeDefinitions: [{ AttributeName: ${key}, AttributeType: S }]
      BillingMode: PAY_PER_REQUEST`

const files = {
  "tables.yml": `resources:\n  dynamodb:${table("orders")}${table("users")}\n`,
  "other-key.yml": `resources:\n  dynamodb:${table("orders", "number")}${table("carts")}\n`,
  "both.yml": `resources:\n  dynamodb:${table("orders")}${table("users")}\n  s3: [{ BucketName: files }]\n`,
  "buckets.yml": "resources:\n  s3: [{ BucketName: files }, { BucketName: plain }]\n",
  "rules.yml":
    "resources:\n  s3:\n    - BucketName: files\n      LifecycleConfiguration: { Rules: [{ Prefix: tmp/, ExpirationInDays: 3 }] }\n",
  "later.yml":
    "resources:\n  s3:\n    - BucketName: files\n      LifecycleConfiguration: { Rules: [{ Prefix: tmp/, ExpirationInDays: 9 }] }\n",
  "wrong.yml": `resources:\n  dynamodb:${table("no good")}\n  s3:\n    - BucketName: files\n      Tags: []\n`,
  "broken.yml": "resources: [\n",
  "none.yml": "resources: {}\n"
}

interface Where {
  readonly tables?: Options
  readonly buckets?: Options
}

/** As Compose tells it: endpoints and one key, by environment. */
const environmentOf = ({ buckets, tables }: Where): Readonly<Record<string, string>> => {
  const key = tables ?? buckets
  return {
    DYNAMODB_ENDPOINT: tables?.endpoint ?? "",
    S3_ENDPOINT: buckets?.endpoint ?? "",
    AWS_ACCESS_KEY_ID: key?.accessKeyId ?? "",
    AWS_SECRET_ACCESS_KEY: key === undefined ? "" : Redacted.value(key.secretAccessKey)
  }
}

const provisioner = Effect.map(
  Cli.project(files),
  (root) =>
    (where: Where, file: keyof typeof files | "gone.yml", ...args: ReadonlyArray<string>) =>
      Cli.runProgram("provisioner", args, {
        cwd: root,
        environment: { ...environmentOf(where), RESOURCES_CONFIG_PATH: file, STORE_START_TIMEOUT: "2" }
      })
)

const keyOf = (options: Options, tableName: string) =>
  Effect.flatMap(TableStore, ({ find }) => find(tableName)).pipe(Effect.provide(DynamoTableStore.layer(options)))

const lifecycleOf = (options: Options, bucketName: string) =>
  Effect.flatMap(BucketStore, ({ lifecycle }) => lifecycle(bucketName)).pipe(
    Effect.provide(S3BucketStore.layer(options))
  )

describe("tables", () => {
  it.live("are made by the first run and ACTIVE when it ends; the second changes nothing and says so", () =>
    Effect.gen(function* () {
      const run = yield* provisioner
      const tables = yield* StoreServers.tables()
      const dry = yield* run({ tables }, "tables.yml", "--dry-run")
      assert.strictEqual(dry.code, 0)
      assert.include(dry.stdout, "table  orders  would be created  id (S) HASH")
      const first = yield* run({ tables }, "tables.yml")
      assert.deepStrictEqual([first.code, first.stderr], [0, ""])
      assert.strictEqual(
        first.stdout,
        "KIND   NAME    RESULT   DETAIL\n" +
          "table  orders  created  id (S) HASH\n" +
          "table  users   created  id (S) HASH\n" +
          "2 created.\n"
      )
      assert.strictEqual((yield* keyOf(tables, "orders")).status, "ACTIVE")
      const second = yield* run({ tables }, "tables.yml")
      assert.deepStrictEqual([second.code, second.stderr], [0, ""])
      assert.include(second.stdout, "table  users   unchanged  id (S) HASH\nNothing was changed")
    }).pipe(Effect.scoped)
  )

  it.live("with another key are an error that names both; the others are made", () =>
    Effect.gen(function* () {
      const run = yield* provisioner
      const tables = yield* StoreServers.tables()
      yield* run({ tables }, "tables.yml")
      const { code, stderr, stdout } = yield* run({ tables }, "other-key.yml", "--json")
      assert.strictEqual(code, 1)
      const told = "orders is there and is another table: its key is id (S) HASH, and number (S) HASH is asked for"
      assert.strictEqual(stderr, `table: ${told}\n`)
      assert.deepStrictEqual(JSON.parse(stdout), {
        dryRun: false,
        resources: [
          { kind: "table", name: "orders", result: "failed", detail: told },
          { kind: "table", name: "carts", result: "created", detail: "id (S) HASH" }
        ]
      })
      assert.strictEqual((yield* keyOf(tables, "orders")).key, "id (S) HASH")
    }).pipe(Effect.scoped)
  )
})

describe("buckets", () => {
  it.live("are made by the first run, and left by the second", () =>
    Effect.gen(function* () {
      const run = yield* provisioner
      const buckets = yield* StoreServers.bucketsWithoutLifecycle
      const first = yield* run({ buckets }, "buckets.yml")
      assert.deepStrictEqual([first.code, first.stderr], [0, ""])
      assert.include(first.stdout, "2 created.")
      const second = yield* run({ buckets }, "buckets.yml")
      assert.strictEqual(second.code, 0)
      assert.include(second.stdout, "Nothing was changed: there is everything that is asked for (2).")
    }).pipe(Effect.scoped)
  )

  it.live("whose store has no lifecycle rules are an error that says so", () =>
    Effect.gen(function* () {
      const run = yield* provisioner
      const buckets = yield* StoreServers.bucketsWithoutLifecycle
      const { code, stderr } = yield* run({ buckets }, "rules.yml")
      assert.strictEqual(code, 1)
      assert.include(stderr, "refuses GetBucketLifecycleConfiguration files: NotImplemented")
    }).pipe(Effect.scoped)
  )

  it.live(
    "have rules that differ replaced",
    () =>
      Effect.gen(function* () {
        const run = yield* provisioner
        const buckets = yield* StoreServers.buckets
        assert.include((yield* run({ buckets }, "rules.yml")).stdout, "1 created.")
        assert.include((yield* run({ buckets }, "rules.yml")).stdout, "Nothing was changed")
        const later = yield* run({ buckets }, "later.yml")
        assert.strictEqual(later.code, 0)
        assert.include(later.stdout, "bucket  files  updated  lifecycle rules: 1, in place of 1\n1 updated.")
        const [rule] = yield* lifecycleOf(buckets, "files")
        assert.strictEqual(rule?.expirationDays, 9)
      }).pipe(Effect.scoped),
    needs("minio")
  )
})

describe("a store", () => {
  it.live("that is still starting is waited for", () =>
    Effect.gen(function* () {
      const run = yield* provisioner
      const port = yield* FreePort.find
      const tables: Options = {
        endpoint: `http://127.0.0.1:${port}`,
        region: "us-east-1",
        accessKeyId: "esb",
        secretAccessKey: Redacted.make("esbsecret")
      }
      const running = yield* Effect.forkChild(run({ tables }, "tables.yml", "--store-start-timeout", "20"))
      yield* Effect.sleep("1500 millis")
      yield* StoreServers.tables(port)
      const { code, stderr, stdout } = yield* Fiber.join(running)
      assert.strictEqual(code, 0, stderr)
      assert.match(stderr, /^waiting: http:\S+ does not answer: connect ECONNREFUSED \S+\n$/)
      assert.include(stdout, "2 created.")
    }).pipe(Effect.scoped)
  )

  it.live("that is waited for when a signal comes was not provided for: the run has failed", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project(files)
      const port = yield* FreePort.find
      const tables: Options = { ...(yield* StoreServers.tables()), endpoint: `http://127.0.0.1:${port}` }
      const child = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawn(process.execPath, [Cli.programAt("provisioner"), "--resources-config-path", "tables.yml"], {
            cwd: root,
            env: { ...process.env, ...environmentOf({ tables }) }
          })
        ),
        (each) => Effect.sync(() => each.kill("SIGKILL"))
      )
      const code = yield* Effect.promise(async () => {
        await once(child.stderr, "data")
        child.kill("SIGTERM")
        const [ended] = await once(child, "exit")
        return ended
      })
      assert.strictEqual(code, 1)
    }).pipe(Effect.scoped)
  )

  it.live("that is down for good is given up after the limit, and keeps nothing out of the other one", () =>
    Effect.gen(function* () {
      const run = yield* provisioner
      const buckets = yield* StoreServers.bucketsWithoutLifecycle
      const tables = { ...buckets, endpoint: `http://127.0.0.1:${yield* FreePort.find}` }
      const { code, stderr, stdout } = yield* run({ tables, buckets }, "both.yml", "--concurrency", "1")
      assert.strictEqual(code, 1)
      assert.match(stderr, /\ntable: http:\S+ does not answer: not within [2-4]\.\d seconds: connect ECONNREFUSED/)
      assert.match(stdout, /^table +users +skipped +http/m)
      assert.match(stdout, /^bucket +files +created/m)
      assert.include(stdout, "1 created, 1 failed, 1 skipped.")
    }).pipe(Effect.scoped)
  )

  it.live("that does not take the key is an error at once", () =>
    Effect.gen(function* () {
      const run = yield* provisioner
      const known = yield* StoreServers.bucketsWithoutLifecycle
      const { code, stderr } = yield* run({ buckets: { ...known, accessKeyId: "nobody" } }, "buckets.yml")
      assert.strictEqual(code, 1)
      assert.include(stderr, "denies HeadBucket files to this access key: HTTP 403")
      assert.notInclude(stderr, "waiting")
    }).pipe(Effect.scoped)
  )

  it.live(
    "that does not take the secret is an error at once",
    () =>
      Effect.gen(function* () {
        const run = yield* provisioner
        const known = yield* StoreServers.buckets
        const buckets = { ...known, secretAccessKey: Redacted.make("another") }
        const { code, stderr, stdout } = yield* run({ buckets }, "buckets.yml")
        assert.strictEqual(code, 1)
        assert.include(stderr, "denies HeadBucket files to this access key: HTTP 403: the key or its secret is wrong")
        assert.notInclude(stderr + stdout, "another")
      }).pipe(Effect.scoped),
    needs("minio")
  )

  it.live("that nobody named is a bad setting when something is asked of it", () =>
    Effect.gen(function* () {
      const run = yield* provisioner
      const { code, stderr } = yield* run({}, "tables.yml")
      assert.strictEqual(code, 2)
      assert.include(stderr, "DYNAMODB_ENDPOINT (--dynamodb-endpoint) is required: tables are asked for (2)")
      const keyless = yield* run({}, "buckets.yml", "--s3-endpoint", "http://127.0.0.1:9")
      assert.strictEqual(keyless.code, 2)
      assert.include(
        keyless.stderr,
        "AWS_ACCESS_KEY_ID (--access-key-id) is required\nAWS_SECRET_ACCESS_KEY is required"
      )
      const nonsense = yield* run({}, "buckets.yml", "--s3-endpoint", "s3-storage:9000")
      assert.strictEqual(nonsense.code, 2)
      assert.include(nonsense.stderr, 'S3_ENDPOINT (--s3-endpoint) is "s3-storage:9000": expected a URL')
    }).pipe(Effect.scoped)
  )
})

describe("resources.yml", () => {
  it.live("that is wrong is told with line and path of everything, before any store is asked", () =>
    Effect.gen(function* () {
      const run = yield* provisioner
      const wrong = yield* run({}, "wrong.yml")
      assert.strictEqual(wrong.code, 1)
      assert.strictEqual(wrong.stdout, "")
      assert.include(wrong.stderr, "wrong.yml:3: resources.dynamodb.0.TableName: a table or index is named by 3 to 255")
      assert.include(wrong.stderr, "wrong.yml:9: resources.s3.0.Tags: unknown key; known are BucketName, Lifecycle")
      const broken = yield* run({}, "broken.yml")
      assert.strictEqual(broken.code, 1)
      assert.match(broken.stderr, /^broken\.yml:\d+: /)
    }).pipe(Effect.scoped)
  )

  it.live("that is not there, or asks for nothing, is a warning", () =>
    Effect.gen(function* () {
      const run = yield* provisioner
      const gone = yield* run({}, "gone.yml")
      assert.deepStrictEqual([gone.code, gone.stdout], [0, ""])
      assert.strictEqual(gone.stderr, "warning: there is no gone.yml, so there is nothing to do\n")
      const json = yield* run({}, "gone.yml", "--json")
      assert.deepStrictEqual(JSON.parse(json.stdout), { dryRun: false, resources: [] })
      const none = yield* run({}, "none.yml")
      assert.deepStrictEqual([none.code, none.stderr], [0, "warning: none.yml asks for no resources\n"])
    }).pipe(Effect.scoped)
  )

  it.live("is planned by a dry run without any store", () =>
    Effect.gen(function* () {
      const run = yield* provisioner
      const { code, stdout } = yield* run({}, "rules.yml", "--dry-run")
      assert.strictEqual(code, 0)
      assert.include(
        stdout,
        "bucket  files  planned  lifecycle rules: 1\n1 planned. Nothing was made: this was a dry run."
      )
    }).pipe(Effect.scoped)
  )
})
