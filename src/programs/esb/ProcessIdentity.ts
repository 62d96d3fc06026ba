/** Which process it is: a pid alone may be given anew. */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { Schema } from "effect"

export const ProcessIdentity = Schema.Struct({
  pid: Schema.Int,
  /** When it started, in whatever way the system tells it; only good for comparing. */
  startedAt: Schema.String
})
export type ProcessIdentity = typeof ProcessIdentity.Type

/** The 22nd field of `/proc/<pid>/stat`, counted behind the name, which may hold anything. */
const startTimeField = 19

const startTimeOnLinux = (pid: number): string | undefined => {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[startTimeField]
}

const startTime = (pid: number): string | undefined => {
  try {
    return process.platform === "linux"
      ? startTimeOnLinux(pid)
      : execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], {
          encoding: "utf8",
          stdio: ["ignore", "pipe", "ignore"]
        }).trim()
  } catch {
    // No such process.
    return undefined
  }
}

export const of = (pid: number): ProcessIdentity => ({ pid, startedAt: startTime(pid) ?? "" })

/** Whether this very process still runs. */
export const isAlive = ({ pid, startedAt }: ProcessIdentity): boolean => {
  const now = startTime(pid)
  return now !== undefined && now === startedAt
}
