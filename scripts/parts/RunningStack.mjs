/** Whether an `esb up` runs from this checkout: its files must not change under it. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { isAlive } from "./HouseLock.mjs"
import { Refusal } from "./Refusal.mjs"

/** The processes that `run.json` of a home names: the `esb up`, and the Gateway that it keeps running. */
const recorded = (home) => {
  try {
    const run = JSON.parse(readFileSync(join(home, "run.json"), "utf8"))
    return [run.supervisor?.pid, run.pid].filter(Number.isInteger)
  } catch {
    // No file, or one that a crash left half written: no stack answers for it either way.
    return []
  }
}

/** A pid may be given anew after a crash; where the system tells what it runs now, it has to be one of ours. */
const isOurs = (pid) => {
  try {
    return /\b(esb|gateway)\.js\b/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"))
  } catch {
    // No /proc on this system: the pid alone decides.
    return true
  }
}

/** Refuses to `act` ("install", "build") while a stack runs on one of the homes. */
export const refuseUnderRunningStack = (homes, act) => {
  for (const home of homes) {
    const pid = recorded(home).find((each) => isAlive(each) && isOurs(each))
    if (pid !== undefined) {
      throw new Refusal(
        `A stack is running from this checkout (process ${pid}, ${home}), and it is time to ${act}: ` +
          "stop it with Ctrl-C, then run this again."
      )
    }
  }
}
