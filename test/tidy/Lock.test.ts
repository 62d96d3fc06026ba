/** package-lock.json installs on a bare machine of any platform, from any registry. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { empty } from "./Checkout.ts"

const lock = (packages: Readonly<Record<string, unknown>>) =>
  `${JSON.stringify({ name: "esb", lockfileVersion: 3, packages }, undefined, 2)}\n`

const tool = {
  version: "1.2.3",
  dev: true,
  optionalDependencies: {
    "@tool/linux-x64-gnu": "1.2.3",
    "@tool/linux-arm64-musl": "1.2.3",
    "@tool/darwin-arm64": "1.2.3"
  }
}

const found = { version: "1.2.3", cpu: ["x64"], os: ["linux"], dev: true, optional: true }

it.live("platforms that a mirror did not carry are added with what their names tell", () =>
  Effect.gen(function* () {
    const { root, plant, run } = yield* empty
    plant({
      "package-lock.json": lock({ "": {}, "node_modules/@tool/linux-x64-gnu": found, "node_modules/tool": tool })
    })
    const refused = run("mend-lock.mjs", "--check")
    assert.strictEqual(refused.code, 1)
    assert.include(refused.said, "lacks 2 packages of other platforms")

    assert.strictEqual(run("mend-lock.mjs").code, 0)
    const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"))
    assert.deepStrictEqual(packages["node_modules/@tool/linux-arm64-musl"], {
      version: "1.2.3",
      os: ["linux"],
      cpu: ["arm64"],
      libc: ["musl"],
      dev: true,
      optional: true
    })
    assert.deepStrictEqual(packages["node_modules/@tool/darwin-arm64"].os, ["darwin"])
    assert.deepStrictEqual(packages["node_modules/@tool/linux-x64-gnu"], found)
    assert.strictEqual(run("mend-lock.mjs", "--check").code, 0)
  })
)

it.live("a version that is not exact is refused rather than guessed", () =>
  Effect.gen(function* () {
    const { plant, run } = yield* empty
    plant({ "package-lock.json": lock({ "": { optionalDependencies: { "tool-linux-x64": "^1.0.0" } } }) })
    const { code, said } = run("mend-lock.mjs")
    assert.strictEqual(code, 1)
    assert.include(said, "tool-linux-x64 is wanted as ^1.0.0")
  })
)

it.live("a lock that names a private registry is refused", () =>
  Effect.gen(function* () {
    const { plant, run } = yield* empty
    const resolved = "https://registry.example/tool/-/tool-1.2.3.tgz"
    plant({ "package-lock.json": lock({ "": {}, "node_modules/tool": { version: "1.2.3", resolved } }) })
    const { code, said } = run("mend-lock.mjs", "--check")
    assert.strictEqual(code, 1)
    assert.include(said, resolved)
  })
)
