/** `npm run bench [-- name…]`: answers the questions under `bench/`, one fresh process each, on freshly built programs. */
import { spawnSync } from "node:child_process"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { chosenNode } from "./parts/ChosenNode.mjs"
import { ensureBuilt, ensureInstalled } from "./parts/Readiness.mjs"
import { Refusal, runMain } from "./parts/Refusal.mjs"
import { root } from "./parts/Root.mjs"

await runMain(async () => {
  const directory = join(root, "bench")
  const known = existsSync(directory) ? readdirSync(directory).filter((name) => name.endsWith(".ts")) : []
  const questions = known.map((name) => name.slice(0, -".ts".length)).sort()
  const asked = process.argv.slice(2)
  const unknown = asked.filter((name) => !questions.includes(name))
  if (questions.length === 0) throw new Refusal("There is no question under bench/.")
  if (unknown.length > 0)
    throw new Refusal(`There is no bench ${unknown.join(", ")}: they are ${questions.join(", ")}.`)

  const homes = [join(root, ".esb"), join(root, "examples/.esb")]
  await ensureInstalled(root, { withDev: true, homes })
  const node = chosenNode(root)
  await ensureBuilt(root, { homes })
  const failed = (asked.length > 0 ? asked : questions).filter((name) => {
    console.log(`\n${name}`)
    return spawnSync(node, [join(directory, `${name}.ts`)], { cwd: root, stdio: "inherit" }).status !== 0
  })
  if (failed.length > 0) throw new Refusal(`These ended with a failure: ${failed.join(", ")}.`)
})
