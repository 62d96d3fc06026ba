/**
 * `npm test [-- file…]`: runs the tests that this machine can run, from a fresh clone on. Installs and builds when
 * out of date. `--only unit|contract|e2e|agent|tidy` keeps to one kind; every other argument goes to Vitest.
 */
import { join } from "node:path"
import { chosenNode } from "./parts/ChosenNode.mjs"
import { inForeground } from "./parts/Foreground.mjs"
import { ensureBuilt, ensureInstalled } from "./parts/Readiness.mjs"
import { Refusal, runMain } from "./parts/Refusal.mjs"
import { root } from "./parts/Root.mjs"

const kinds = ["unit", "contract", "e2e", "agent", "tidy"]

/** The kinds asked for by `--only`, and what remains for Vitest. */
const read = (args) => {
  const at = args.indexOf("--only")
  if (at === -1) return { only: kinds, rest: args }
  const kind = args[at + 1]
  if (!kinds.includes(kind)) throw new Refusal(`--only takes one of ${kinds.join(", ")}.`)
  return { only: [kind], rest: [...args.slice(0, at), ...args.slice(at + 2)] }
}

/** Files named on the command line decide by their folder whether the programs have to be built. */
const needsPrograms = (only, rest) => {
  const files = rest.filter((arg) => arg.startsWith("test/") || arg.endsWith(".test.ts"))
  return (
    (only.includes("e2e") || only.includes("agent")) &&
    (files.length === 0 || files.some((file) => !/\b(unit|contract|tidy)\b/.test(file)))
  )
}

await runMain(async () => {
  const { only, rest } = read(process.argv.slice(2))
  const homes = [join(root, ".esb"), join(root, "examples/.esb")]
  await ensureInstalled(root, { withDev: true, homes })
  const node = chosenNode(root)
  if (needsPrograms(only, rest)) await ensureBuilt(root, { homes })
  const projects = only.flatMap((kind) => ["--project", kind])
  const vitest = join(root, "node_modules/vitest/vitest.mjs")
  return inForeground(node, [vitest, "run", ...projects, ...rest], { cwd: root })
})
