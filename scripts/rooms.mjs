/**
 * Guards the walls between the rooms of `src`: no import goes the wrong way, none goes in a ring. `--draw` prints the
 * edges between rooms, `--write` puts them into the diagram of docs/architecture.md; `--root DIR` looks at another
 * checkout.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { importGraph } from "./parts/ImportGraph.mjs"
import { Refusal, runMain } from "./parts/Refusal.mjs"
import { edges, rings, wrongTurns } from "./parts/Rooms.mjs"
import { root as ownRoot } from "./parts/Root.mjs"

/** The edges of the page's `flowchart TD` are replaced; what else stands in the block stays above them. */
const redraw = (page, drawn) => {
  const block = /^```mermaid\nflowchart TD\n([\s\S]*?)^```$/m.exec(page)
  if (block === null) throw new Refusal("docs/architecture.md has no mermaid block that begins with `flowchart TD`.")
  const others = block[1].split("\n").filter((line) => line !== "" && !/^ {2}\S+ --> \S+$/.test(line))
  const lines = [...others, ...drawn.map((edge) => `  ${edge}`)]
  return page.replace(block[0], () => ["```mermaid", "flowchart TD", ...lines, "```"].join("\n"))
}

await runMain(() => {
  const at = process.argv.indexOf("--root")
  const root = at === -1 ? ownRoot : resolve(process.argv[at + 1] ?? ".")
  const modules = importGraph(root)
  if (modules.length === 0) throw new Refusal(`No module was seen under ${root}/src, so nothing was checked.`)

  if (process.argv.includes("--draw")) {
    for (const edge of edges(modules)) console.log(`  ${edge}`)
    return 0
  }
  if (process.argv.includes("--write")) {
    const path = join(root, "docs/architecture.md")
    writeFileSync(path, redraw(readFileSync(path, "utf8"), edges(modules)))
    return 0
  }
  const turns = wrongTurns(modules)
  const circles = rings(modules)
  for (const { path, line, told, reason } of turns) console.error(`${path}:${line} ${told}\n  ${reason}`)
  for (const ring of circles) console.error(`These modules import each other in a ring:\n  ${ring.join("\n  ")}`)
  if (turns.length + circles.length > 0) return 1
  console.log(`${modules.length} modules, ${edges(modules).length} edges between rooms, none the wrong way`)
  return 0
})
