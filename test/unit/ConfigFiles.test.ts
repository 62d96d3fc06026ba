import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as ConfigFiles from "#programs/esb/ConfigFiles"
import type { StackManifest } from "#programs/esb/StackManifest"

const home = () => mkdtempSync(join(tmpdir(), "esb-ConfigFiles-"))

const entry = {
  image: "artifact:sha256:00",
  runtime: "nodejs24.x",
  handler: "app.handler",
  timeout: 3,
  memory_size: 128
}

const manifest = (
  functions: StackManifest["functions"]["functions"],
  routes: StackManifest["routing"]["routes"] = []
): StackManifest => ({
  functions: { functions },
  routing: { routes },
  resources: { resources: { dynamodb: [], s3: [] } }
})

const none = { added: [], changed: [], removed: [] }

describe("ConfigFiles", () => {
  it.live("tells what is added, changed and removed", () =>
    Effect.gen(function* () {
      const at = home()
      const route = { path: "/a", method: "GET", function: "a" } as StackManifest["routing"]["routes"][number]
      const first = yield* ConfigFiles.replace(at, manifest({ a: entry, b: entry }, [route]))
      assert.deepStrictEqual(first.functions, { ...none, added: ["a", "b"] })
      const second = yield* ConfigFiles.replace(at, manifest({ b: { ...entry, timeout: 4 }, c: entry }))
      assert.deepStrictEqual(second.functions, { added: ["c"], changed: ["b"], removed: ["a"] })
      assert.deepStrictEqual(second.routes, { ...none, removed: ["GET /a"] })
      assert.deepStrictEqual(ConfigFiles.told(second), ["added    c", "changed  b", "removed  a", "removed  GET /a"])
    })
  )

  it.live("leaves a file alone that already says it, and replaces a broken one", () =>
    Effect.gen(function* () {
      const at = home()
      const path = ConfigFiles.pathIn(at, "functions")
      yield* ConfigFiles.replace(at, manifest({ a: entry }))
      const { ino } = statSync(path)
      assert.deepStrictEqual((yield* ConfigFiles.replace(at, manifest({ a: entry }))).functions, none)
      assert.strictEqual(statSync(path).ino, ino)
      writeFileSync(path, "functions: [")
      yield* ConfigFiles.replace(at, manifest({ a: entry }))
      assert.include(readFileSync(path, "utf8"), "artifact:sha256:00")
    })
  )

  it.live("writes for its owner alone, and a dollar sign as one that means itself", () =>
    Effect.gen(function* () {
      const at = home()
      const environment = { PRICE: "$5 for ${YOU}" }
      yield* ConfigFiles.replace(at, manifest({ a: { ...entry, environment } }))
      const path = ConfigFiles.pathIn(at, "functions")
      assert.include(readFileSync(path, "utf8"), "PRICE: $$5 for $${YOU}")
      assert.strictEqual(statSync(path).mode & 0o777, 0o600)
      assert.deepStrictEqual(
        (yield* ConfigFiles.replace(at, manifest({ a: { ...entry, environment } }))).functions,
        none
      )
    })
  )
})
