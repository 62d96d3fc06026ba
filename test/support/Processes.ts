/** What runs on this machine on behalf of one stack, as `/proc` tells it: nothing the stack says of itself is believed. */
import { Effect } from "effect"
import { readdirSync, readFileSync, readlinkSync } from "node:fs"
import { platform } from "node:process"
import { eventually } from "./Eventually.ts"

export interface Process {
  readonly pid: number
  readonly parent: number
  readonly command: string
}

/** Options of tests that look into `/proc`. */
export const needsProc =
  platform === "linux" ? {} : { skip: true, meta: { skipReason: "no /proc here: this looks at processes on Linux" } }

/** `undefined` for whatever ended while it was looked at, or is not ours to look at. */
const attempt = <A>(read: () => A): A | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}

/**
 * The fields behind the name, which may contain anything. The dead that wait to be reaped count as gone once the last of
 * their threads is: until then their files and connections are open.
 */
const statOf = (pid: number): { readonly ended: boolean; readonly parent: number } | undefined => {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, "utf8"))
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ")
  return fields === undefined
    ? undefined
    : { ended: fields[0] === "Z" && Number(fields[17]) <= 1, parent: Number(fields[1]) }
}

const commandOf = (pid: number): string =>
  attempt(() => readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim()) ?? ""

const mentions = (pid: number, directory: string): boolean =>
  commandOf(pid).includes(directory) ||
  attempt(() => readlinkSync(`/proc/${pid}/cwd`))?.startsWith(directory) === true ||
  attempt(() => readFileSync(`/proc/${pid}/environ`, "latin1"))?.includes(directory) === true

/** Processes whose command, working directory or environment names the directory. */
export const of = (directory: string): ReadonlyArray<Process> =>
  (attempt(() => readdirSync("/proc")) ?? [])
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      const pid = Number(name)
      const stat = statOf(pid)
      if (stat === undefined || stat.ended || !mentions(pid, directory)) return []
      return [{ pid, parent: stat.parent, command: commandOf(pid) }]
    })

export const isAlive = (pid: number): boolean => {
  const stat = statOf(pid)
  return stat !== undefined && !stat.ended
}

/** `kill -9`, of one that may have ended since it was seen. */
export const kill = (pid: number): void => void attempt(() => process.kill(pid, "SIGKILL"))

/** Fails when something of the directory still runs after the time it may take to end. */
export const allGone = (directory: string, withinMs: number) =>
  eventually(
    `every process of ${directory} ends`,
    Effect.sync(() => of(directory)),
    (left) => left.length === 0,
    withinMs
  )

/** Open files, sockets and pipes of a process. */
export const openFiles = (pid: number): ReadonlyArray<string> =>
  (attempt(() => readdirSync(`/proc/${pid}/fd`)) ?? []).map(
    (name) => attempt(() => readlinkSync(`/proc/${pid}/fd/${name}`)) ?? "closed"
  )
