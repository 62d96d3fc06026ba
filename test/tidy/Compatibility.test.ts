/** docs/compatibility.md names tests that are there. */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { repository } from "./Checkout.ts"

const docs = join(repository, "docs")
const page = readFileSync(join(docs, "compatibility.md"), "utf8")

/** `| behaviour | [name](path) | title |`; a title of `all of it` stands for the whole file. */
const rows = [...page.matchAll(/^\| (.+) \| \[\w+\]\((\S+)\) \| (.+) \|$/gm)].map(
  ([, kept = "", path = "", title = ""]) => ({
    kept,
    path,
    title
  })
)

describe("docs/compatibility.md", () => {
  it("links every behaviour to a test that exists", () => {
    assert.isAbove(rows.length, 0, "no row was read, so nothing was checked")
    const astray = rows.filter(({ path, title }) => {
      const file = join(docs, path)
      return !existsSync(file) || (title !== "all of it" && !readFileSync(file, "utf8").includes(title))
    })
    assert.deepStrictEqual(astray, [])
  })

  it("leaves out no file that calls functions over real sockets", () => {
    const named = new Set(rows.map(({ path }) => path.split("/").at(-1)))
    const files = readdirSync(join(repository, "test/e2e")).filter((name) => /^(Invoke|Disconnect|BadInput)/.test(name))
    assert.isAbove(files.length, 0)
    assert.deepStrictEqual(
      files.filter((name) => !named.has(name)),
      []
    )
  })
})
