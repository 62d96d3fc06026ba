/**
 * Processes as `/proc` tells them. Reads are synchronous: each takes some 25 µs, and none waits for a disk.
 * @see https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
 */
import { Effect } from "effect"
import { closeSync, openSync, readdirSync, readFileSync, readSync } from "node:fs"
import { readFile } from "node:fs/promises"
import type { ProcessEntry, ProcessTable } from "./ProcessTable.ts"

/** Entries of the auxiliary vector: pairs of 64-bit words, type and value. */
const pageSizeEntry = 6n
const clockTicksEntry = 17n

interface Units {
  readonly pageBytes: number
  readonly tickNanoseconds: number
}

const readUnits = (): Units => {
  const vector = readFileSync("/proc/self/auxv")
  let units: Units = { pageBytes: 4_096, tickNanoseconds: 10_000_000 }
  for (let at = 0; at + 16 <= vector.length; at += 16) {
    const value = Number(vector.readBigUInt64LE(at + 8))
    const entry = vector.readBigUInt64LE(at)
    if (entry === pageSizeEntry) units = { ...units, pageBytes: value }
    if (entry === clockTicksEntry) units = { ...units, tickNanoseconds: 1_000_000_000 / value }
  }
  return units
}

/** Long enough for every `stat` line: 52 numbers and a name of at most 64 bytes. */
const line = Buffer.alloc(2_048)

const readStat = (pid: number): string | undefined => {
  try {
    const file = openSync(`/proc/${pid}/stat`, "r")
    try {
      return line.toString("latin1", 0, readSync(file, line, 0, line.length, 0))
    } finally {
      closeSync(file)
    }
  } catch {
    // Gone between being listed and being looked at.
    return undefined
  }
}

/** Fields behind the name, which is in brackets and may hold anything: the first here is the third of the manual. */
export const parseStat = (pid: number, stat: string, units: Units): ProcessEntry => {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  const field = (numberInManual: number): string => fields[numberInManual - 3] ?? "0"
  const ticks = [14, 15, 16, 17].reduce((sum, number) => sum + Number(field(number)), 0)
  return {
    pid,
    group: Number(field(5)),
    startTime: field(22),
    ended: field(3) === "Z" || field(3) === "X",
    residentBytes: Number(field(24)) * units.pageBytes,
    cpuNanoseconds: ticks * units.tickNanoseconds
  }
}

const pids = (): ReadonlyArray<number> =>
  readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? Number(name) : []))

/** Environments are read a few at a time, off the event loop. */
const readers = 8

const holds = (pid: number, variable: string): Effect.Effect<boolean> =>
  Effect.promise(() =>
    readFile(`/proc/${pid}/environ`, "utf8")
      .then((environment) => environment.split("\0").includes(variable))
      // Gone, or somebody else's and therefore not shown.
      .catch(() => false)
  )

export const make = (): ProcessTable => {
  let units: Units | undefined
  const entries = (wanted: ReadonlyArray<number>): ReadonlyArray<ProcessEntry> => {
    const known = (units ??= readUnits())
    return wanted.flatMap((pid) => {
      const stat = readStat(pid)
      return stat === undefined ? [] : parseStat(pid, stat, known)
    })
  }
  return {
    all: Effect.sync(() => entries(pids())),
    some: (wanted) => Effect.sync(() => entries(wanted)),
    marked: (variable) =>
      Effect.sync(pids).pipe(Effect.flatMap(Effect.filter((pid) => holds(pid, variable), { concurrency: readers })))
  }
}
