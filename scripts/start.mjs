/**
 * `npm start`: from a fresh clone to a running stack. Installs and builds when out of date, then runs
 * `esb up examples/template.yaml` on a Node that is new enough, and ends as it ends.
 */
import { join, resolve } from "node:path"
import { chosenNode } from "./parts/ChosenNode.mjs"
import { inForeground } from "./parts/Foreground.mjs"
import { ensureBuilt, ensureInstalled } from "./parts/Readiness.mjs"
import { runMain } from "./parts/Refusal.mjs"
import { root } from "./parts/Root.mjs"

/** The state directory: what the caller says, else `.esb` of this checkout. */
const homeOf = (args) => {
  const at = args.findIndex((arg) => arg === "--home" || arg.startsWith("--home="))
  if (at !== -1) return { given: true, home: args[at].slice("--home=".length) || (args[at + 1] ?? "") }
  const fromEnvironment = process.env["ESB_HOME"]
  return fromEnvironment ? { given: true, home: fromEnvironment } : { given: false, home: join(root, ".esb") }
}

await runMain(async () => {
  const args = process.argv.slice(2)
  const { given, home } = homeOf(args)
  const homes = [...new Set([resolve(home), join(root, ".esb"), join(root, "examples/.esb")])]

  await ensureInstalled(root, { withDev: false, homes })
  const node = chosenNode(root)
  await ensureBuilt(root, { homes })
  const command = [join(root, "dist/esb.js"), "up", join(root, "examples/template.yaml")]
  return inForeground(node, [...command, ...(given ? [] : ["--home", home]), ...args])
})
