/** The diagram in docs/architecture.md is the import graph of `src`, room by room. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { clean, empty, repository, script } from "./Checkout.ts"

const edgesIn = (text: string) => [...text.matchAll(/^ {2}(\S+) --> (\S+)$/gm)].map(([line]) => line)

it("the diagram in docs/architecture.md is the import graph of src", () => {
  const page = readFileSync(join(repository, "docs/architecture.md"), "utf8")
  const block = /^```mermaid\nflowchart TD\n([\s\S]*?)^```$/m.exec(page)?.[1]
  assert.isDefined(block, "the page has a mermaid block that begins with `flowchart TD`")
  const { code, said } = script(repository, "rooms.mjs", "--draw")
  assert.strictEqual(code, 0, said)
  assert.isAbove(edgesIn(said).length, 0, "nothing was drawn, so nothing was checked")
  assert.deepStrictEqual(edgesIn(block ?? "").toSorted(), edgesIn(said), "run `node scripts/rooms.mjs --write`")
})

it.live("--write replaces the edges of the page and leaves its words alone", () =>
  Effect.gen(function* () {
    const { root, run, plant } = yield* clean
    plant({ "docs/architecture.md": "Before.\n\n```mermaid\nflowchart TD\n  old --> edge\n```\n\nAfter.\n" })
    const { code, said } = run("rooms.mjs", "--write")
    assert.strictEqual(code, 0, said)
    const page = readFileSync(join(root, "docs/architecture.md"), "utf8")
    assert.match(page, /^Before\.\n\n```mermaid\nflowchart TD\n {2}layers\/memory --> domain\n/)
    assert.match(page, /\n```\n\nAfter\.\n$/)
    assert.notInclude(page, "old")
  })
)

it.live("nothing is drawn of a checkout without modules", () =>
  Effect.gen(function* () {
    assert.strictEqual((yield* empty).run("rooms.mjs", "--draw").code, 1)
  })
)
