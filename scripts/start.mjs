/**
 * `npm start`: from a fresh clone to a running stack. Installs and builds when out of date, then runs
 * `esb up examples/template.yaml` on a Node that is new enough, and ends as it ends.
 */
import { spawn } from "node:child_process"
import { constants } from "node:os"
import { join, resolve } from "node:path"
import { chosenNode } from "./parts/ChosenNode.mjs"
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

/** Runs `file` in the foreground: its signals, its terminal and its end are this process's own. */
const become = (file, args) =>
  new Promise((done, failed) => {
    const child = spawn(file, args, { stdio: "inherit" })
    const onTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
      process.on(signal, () => {
        // Ctrl-C on a terminal reaches the whole process group: a second copy would read as impatience.
        if (signal === "SIGINT" && onTerminal) return
        child.kill(signal)
      })
    }
    child.on("error", failed)
    child.on("exit", (code, signal) => done(signal === null ? code : 128 + constants.signals[signal]))
  })

await runMain(async () => {
  const args = process.argv.slice(2)
  const { given, home } = homeOf(args)
  const homes = [...new Set([resolve(home), join(root, ".esb"), join(root, "examples/.esb")])]

  await ensureInstalled(root, { withDev: false, homes })
  const node = chosenNode(root)
  await ensureBuilt(root, { homes })
  const command = [join(root, "dist/esb.js"), "up", join(root, "examples/template.yaml")]
  return become(node, [...command, ...(given ? [] : ["--home", home]), ...args])
})
