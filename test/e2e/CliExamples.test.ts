import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { cpSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Cli from "#test/support/Cli"
import { engine } from "#test/support/Engines"

const examples = fileURLToPath(new URL("../../examples", import.meta.url))

/** What examples/README.md promises of each `curl`. */
const promises: ReadonlyArray<readonly [curl: string, path: string, init: RequestInit, answer: unknown]> = [
  ["/hello/Ada", "/hello/Ada", {}, { message: "Hello, Ada!" }],
  ["/sum?a=1&b=2", "/sum?a=1&b=2", {}, { sum: 3 }],
  ["to be or not to be", "/words", { method: "POST", body: "to be or not to be" }, { be: 2, to: 2, not: 1, or: 1 }]
]

describe("examples", () => {
  it.live("do what their README says", () =>
    Effect.gen(function* () {
      const root = yield* Cli.project({})
      cpSync(examples, root, { recursive: true, filter: (path) => !path.endsWith(".esb") })
      const readme = readFileSync(join(root, "README.md"), "utf8")
      const up = yield* Cli.up(root)
      for (const [curl, path, init, expected] of promises) {
        assert.include(readme, curl)
        const response = yield* Effect.promise(() => fetch(`${up.ready.gateway}${path}`, init))
        if (path === "/words" && !engine("python").present) {
          assert.strictEqual(response.status, 502)
          continue
        }
        assert.strictEqual(response.status, 200)
        const { requestId, ...answer } = (yield* Effect.promise(() => response.json())) as Record<string, unknown>
        assert.deepStrictEqual(answer, expected)
        assert.strictEqual(typeof requestId, path.startsWith("/hello") ? "string" : "undefined")
      }
      const tail = yield* Cli.esb(["invoke", "hello", "--event", '{"name":"Ada"}', "--tail"], { cwd: root })
      assert.strictEqual(JSON.parse(tail.stdout).message, "Hello, Ada!")
    }).pipe(Effect.scoped)
  )
})
