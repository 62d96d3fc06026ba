/**
 * The dependencies of this checkout: fetched when package-lock.json is not the one they were fetched for, and left
 * alone otherwise, so that a machine without a network can work once it has installed.
 */
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { Refusal } from "./Refusal.mjs"

const stampPath = (root) => join(root, "node_modules/.esb-stamp")

const digestOfLock = (root) =>
  createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex")

const readJson = (path) => (existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined)

/** `node_modules` as npm last wrote it holds every package that the lock wants on this kind of machine. */
const isComplete = (root, withDev) => {
  const wanted = readJson(join(root, "package-lock.json"))
  const found = readJson(join(root, "node_modules/.package-lock.json"))
  if (found === undefined) return false
  return Object.entries(wanted.packages).every(([place, entry]) => {
    if (place === "" || entry.optional || (entry.dev && !withDev)) return true
    return found.packages[place]?.version === entry.version && existsSync(join(root, place, "package.json"))
  })
}

/** Whether what is on the disk serves; `withDev` asks for the tools of `npm run check` and `npm test`, too. */
export const isInstalled = (root, { withDev }) => {
  const stamp = readJson(stampPath(root))
  const lock = digestOfLock(root)
  if (stamp?.lock === lock && (stamp.dev || !withDev)) return true
  if (!isComplete(root, withDev)) return false
  // Somebody ran `npm ci` by hand.
  writeFileSync(stampPath(root), JSON.stringify({ lock, dev: withDev }))
  return true
}

/** The PATH without this checkout's own tools: npm must not run on a Node that it is about to remove. */
const pathWithoutOwnTools = (root) =>
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((part) => !part.startsWith(join(root, "node_modules")))
    .join(delimiter)

/** Runs `npm ci`. The engine warnings of a Node older than the project's are silenced: the project brings its own. */
export const install = (root) => {
  console.error("Installing dependencies (npm ci)…")
  const { status, error } = spawnSync("npm", ["ci", "--include=dev", "--include=optional", "--loglevel=error"], {
    cwd: root,
    env: { ...process.env, PATH: pathWithoutOwnTools(root) },
    stdio: ["ignore", 2, 2]
  })
  if (error !== undefined) throw new Refusal(`npm could not be started: ${error.message}`)
  if (status !== 0) throw new Refusal("npm ci failed; its own words are above.")
  writeFileSync(stampPath(root), JSON.stringify({ lock: digestOfLock(root), dev: true }))
}
