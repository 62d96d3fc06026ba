/** The Provisioner lets the key of functions use the object store, and says so when it could not. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createServer } from "node:http"
import * as Cli from "#test/support/Cli"
import { listening } from "#test/support/StoreServers"

const files = { "resources.yml": "resources:\n  s3: [{ BucketName: receipts }]\n" }

/** A store that has every bucket, and answers requests about keys with a status. */
const store = Effect.fnUntraced(function* (status: number) {
  const asked: Array<string> = []
  const server = createServer((request, response) => {
    const { method, url = "" } = request
    asked.push(`${method} ${url.split("?")[0]}`)
    request.resume().once("end", () => response.writeHead(url.startsWith("/rustfs/") ? status : 200).end())
  })
  return { asked, endpoint: `http://127.0.0.1:${yield* listening(server)}` }
})

const provision = Effect.fnUntraced(function* (endpoint: string, environment: Readonly<Record<string, string>>) {
  const cwd = yield* Cli.project(files)
  const key = { AWS_ACCESS_KEY_ID: "root", AWS_SECRET_ACCESS_KEY: "root-secret" }
  return yield* Cli.runProgram("provisioner", [], {
    cwd,
    environment: { ...key, S3_ENDPOINT: endpoint, RESOURCES_CONFIG_PATH: "resources.yml", ...environment }
  })
})

const ofFunctions = { ESB_SECRET_ACCESS_KEY: "secret-of-functions" }
const aboutKeys = ["PUT /rustfs/admin/v3/add-user", "PUT /rustfs/admin/v3/set-user-or-group-policy"]

describe("the Provisioner and the key of functions", () => {
  it.live("asks the store to let it in, after the buckets are there", () =>
    Effect.gen(function* () {
      const { asked, endpoint } = yield* store(200)
      const { code, stderr, stdout } = yield* provision(endpoint, ofFunctions)
      assert.deepStrictEqual([code, stderr], [0, ""])
      assert.include(stdout, "receipts")
      assert.deepStrictEqual(asked, ["HEAD /receipts/", ...aboutKeys])
    })
  )

  it.live("asks nothing without its secret, and nothing in a dry run", () =>
    Effect.gen(function* () {
      const { asked, endpoint } = yield* store(200)
      assert.strictEqual((yield* provision(endpoint, {})).code, 0)
      assert.strictEqual((yield* provision(endpoint, { ...ofFunctions, ESB_DRY_RUN: "1" })).code, 0)
      assert.deepStrictEqual(asked, ["HEAD /receipts/", "HEAD /receipts/"])
    })
  )

  it.live("fails where the store refuses, and warns where it has no such keys", () =>
    Effect.gen(function* () {
      const refusing = yield* provision((yield* store(403)).endpoint, ofFunctions)
      assert.strictEqual(refusing.code, 1)
      assert.match(refusing.stdout, /^key +esb +failed/m)
      assert.notInclude(refusing.stdout + refusing.stderr, "secret-of-functions")

      const other = yield* provision((yield* store(404)).endpoint, ofFunctions)
      assert.strictEqual(other.code, 0)
      assert.include(other.stderr, "let key esb use the buckets yourself")
    })
  )
})
