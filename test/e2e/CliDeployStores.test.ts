/** `esb deploy` to a stack of child processes, with a table store that somebody else runs. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as DynamoTableStore from "#layers/aws/DynamoTableStore"
import { TableStore } from "#services/TableStore"
import * as Cli from "#test/support/Cli"
import * as StoreServers from "#test/support/StoreServers"

const { "template.yaml": template = "", ...sources } = Cli.hello("hi")

const table = (key: string) => `  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: orders
      KeySchema: [{ AttributeName: ${key}, KeyType: HASH }]
      AttributeDefinitions: [{ AttributeName: ${key}, AttributeType: S }]
      BillingMode: PAY_PER_REQUEST
`
const files = { ...sources, "template.yaml": template + table("id") }

const keys = { AWS_ACCESS_KEY_ID: "esb", AWS_SECRET_ACCESS_KEY: "esbsecret", STORE_START_TIMEOUT: "2" }

describe("esb deploy and the tables of a template", () => {
  it.live("makes them where a store is named, before it changes anything else", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project(files)
      const tables = yield* StoreServers.tables()
      const { stderr } = yield* Cli.up(root, ["--no-watch"])
      assert.include(stderr(), "table orders: not created here; esb deploy makes tables and buckets in stores that")

      const environment = { ...keys, DYNAMODB_ENDPOINT: tables.endpoint ?? "" }
      const deploy = (...args: ReadonlyArray<string>) => Cli.esb(["deploy", ...args], { cwd: root, environment })
      const first = yield* deploy("--json")
      assert.strictEqual(first.code, 0, first.stderr)
      assert.notInclude(first.stderr, "not created")
      assert.deepStrictEqual(JSON.parse(first.stdout).resources, [
        { kind: "table", name: "orders", result: "created", detail: "id (S) HASH" }
      ])
      const { status } = yield* Effect.flatMap(TableStore, ({ find }) => find("orders")).pipe(
        Effect.provide(DynamoTableStore.layer(tables))
      )
      assert.strictEqual(status, "ACTIVE")

      const other = (template + table("number")).replace("/hello,", "/other,")
      Cli.write(root, { "template.yaml": other })
      const refused = yield* deploy()
      assert.strictEqual(refused.code, 1)
      assert.include(refused.stderr, "orders is there and is another table")
      assert.include(refused.stderr, "functions and routes are as they were before")
      assert.include(readFileSync(join(root, ".esb/config/routing.yml"), "utf8"), "/hello")
      assert.include(readFileSync(join(root, ".esb/staging/routing.yml"), "utf8"), "/other")
    }).pipe(Effect.scoped)
  )

  it.live("asks no store when none is named, and says so", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project(files)
      yield* Cli.up(root, ["--no-watch"])
      const { code, stderr, stdout } = yield* Cli.esb(["deploy", "--json"], { cwd: root })
      assert.strictEqual(code, 0, stderr)
      assert.include(stderr, "table orders: not created here")
      assert.deepStrictEqual(JSON.parse(stdout).resources, [])
    }).pipe(Effect.scoped)
  )
})
