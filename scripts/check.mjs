/**
 * `npm run check`: everything the code can be told without running it. `--only types,lint` keeps to some steps,
 * `--root DIR` looks at another checkout (the tests of this guard plant their breaches in one).
 */
import { spawn } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { chosenNode } from "./parts/ChosenNode.mjs"
import { ensureInstalled } from "./parts/Readiness.mjs"
import { Refusal, runMain } from "./parts/Refusal.mjs"
import { root as ownRoot } from "./parts/Root.mjs"

/**
 * The compiler of @effect/tsgo: TypeScript's own plus the rules of Effect. It is run from where npm put it instead of
 * being patched over TypeScript's, so that `npm ci` alone makes it work, install scripts or none.
 */
const compiler = (modules) => {
  const { version } = JSON.parse(readFileSync(join(modules, "typescript/package.json"), "utf8"))
  const platform = `@effect/tsgo-${process.platform}-${process.arch}`
  const path = join(modules, platform, "artifacts/typescript", version, "tsc")
  if (existsSync(path)) return path
  throw new Refusal(`${platform} brings no compiler for TypeScript ${version}: the two are upgraded together.`)
}

/** The steps, each a command: what it is called, and what it runs in the checkout at `root`. */
const steps = (root) => {
  const node = chosenNode(ownRoot)
  const modules = join(ownRoot, "node_modules")
  const own = (script, ...args) => [node, join(ownRoot, "scripts", script), ...args]
  return {
    types: [compiler(modules), "--project", root],
    lint: [node, join(modules, "oxlint/bin/oxlint"), "--deny-warnings", "."],
    format: [node, join(modules, "oxfmt/bin/oxfmt"), "--check", "."],
    rooms: own("rooms.mjs", "--root", root),
    unused: [node, join(modules, "knip/bin/knip.js"), "--no-progress", "--no-config-hints"],
    lock: own("mend-lock.mjs", "--check", "--root", root)
  }
}

/** Runs one step to its end. Its words are kept, and shown only when it fails. */
const run = (name, [file, ...args], cwd) =>
  new Promise((done, failed) => {
    const start = performance.now()
    const said = []
    const child = spawn(file, args, { cwd, stdio: ["ignore", "pipe", "pipe"] })
    child.stdout.on("data", (chunk) => said.push(chunk))
    child.stderr.on("data", (chunk) => said.push(chunk))
    child.on("error", failed)
    child.on("close", (code) => {
      const seconds = ((performance.now() - start) / 1000).toFixed(1)
      console.log(`${code === 0 ? "ok    " : "failed"} ${name} (${seconds} s)`)
      if (code !== 0) console.log(Buffer.concat(said).toString())
      done(code === 0)
    })
  })

const valueOf = (flag) => {
  const at = process.argv.indexOf(flag)
  return at === -1 ? undefined : process.argv[at + 1]
}

await runMain(async () => {
  const root = resolve(valueOf("--root") ?? ownRoot)
  if (root === ownRoot) await ensureInstalled(root, { withDev: true, homes: [join(root, ".esb")] })
  const all = steps(root)
  const chosen = valueOf("--only")?.split(",") ?? Object.keys(all)
  const unknown = chosen.filter((name) => !(name in all))
  if (unknown.length > 0)
    throw new Refusal(`There is no step ${unknown.join(", ")}: they are ${Object.keys(all).join(", ")}.`)
  const results = []
  for (const name of chosen) results.push(await run(name, all[name], root))
  return results.every(Boolean) ? 0 : 1
})
