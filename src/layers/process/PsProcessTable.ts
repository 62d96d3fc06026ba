/** Processes as `ps` tells them, for systems without `/proc`: macOS and the BSDs. */
import { Effect } from "effect"
import { execFile } from "node:child_process"
import type { ProcessEntry, ProcessTable } from "./ProcessTable.ts"

const columns = "pid=,pgid=,state=,rss=,time=,lstart="
const outputLimitBytes = 8_388_608
const answerLimitMs = 2_000

/** `[[dd-]hh:]mm:ss[.cc]` */
const nanosecondsOf = (time: string): number => {
  const [days, clock] = time.includes("-") ? time.split("-") : ["0", time]
  const seconds = (clock ?? "").split(":").reduce((sum, part) => sum * 60 + Number(part), 0)
  return (Number(days) * 86_400 + seconds) * 1_000_000_000
}

export const parseLine = (line: string): ReadonlyArray<ProcessEntry> => {
  const [pid, group, state, residentKiB, time, ...start] = line.trim().split(/\s+/)
  if (pid === undefined || time === undefined || state === undefined) return []
  return [
    {
      pid: Number(pid),
      group: Number(group),
      startTime: start.join(" "),
      ended: state.startsWith("Z"),
      residentBytes: Number(residentKiB) * 1_024,
      cpuNanoseconds: nanosecondsOf(time)
    }
  ]
}

/** A `ps` that fails has found none of the processes it was asked for. */
const ask = (selection: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<ProcessEntry>> =>
  Effect.callback((resume) => {
    const options = { maxBuffer: outputLimitBytes, timeout: answerLimitMs, env: { PATH: "/bin:/usr/bin", LC_ALL: "C" } }
    execFile("ps", [...selection, "-o", columns], options, (_error, stdout) =>
      resume(Effect.succeed(stdout.split("\n").flatMap(parseLine)))
    )
  })

export const make = (): ProcessTable => ({
  all: ask(["-ax"]),
  some: (pids) => (pids.length === 0 ? Effect.succeed([]) : ask(["-p", pids.join(",")])),
  marked: () => Effect.succeed([])
})
