/** Whether an `esb up` runs from this checkout: its files must not change under it. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { isAlive } from "./HouseLock.mjs"
import { Refusal } from "./Refusal.mjs"

const readRun = (home) => {
  try {
    const run = JSON.parse(readFileSync(join(home, "run.json"), "utf8"))
    return Number.isInteger(run.pid) ? run : undefined
  } catch {
    // No file, or one that a crash left half written: no stack answers for it either way.
    return undefined
  }
}

/** A pid may be given anew after a crash; where the system tells what it runs now, it has to be esb. */
const runsEsb = (pid) => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("esb")
  } catch {
    // No /proc on this system: the pid alone decides.
    return true
  }
}

/** Refuses to `act` ("install", "build") while a stack runs on one of the homes. */
export const refuseUnderRunningStack = (homes, act) => {
  for (const home of homes) {
    const run = readRun(home)
    if (run !== undefined && isAlive(run.pid) && runsEsb(run.pid)) {
      throw new Refusal(
        `A stack is running from this checkout (process ${run.pid}, ${home}), and it is time to ${act}: ` +
          "stop it with Ctrl-C, then run this again."
      )
    }
  }
}
