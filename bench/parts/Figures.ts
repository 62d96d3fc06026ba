/** What a benchmark says: medians and tails with their count, the commit and the machine, one line each. */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { cpus } from "node:os"

export interface Figure {
  readonly name: string
  readonly p50: number
  readonly p99: number
  readonly count: number
}

const at = (sorted: ReadonlyArray<number>, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN

export const figure = (name: string, samplesMs: ReadonlyArray<number>): Figure => {
  const sorted = samplesMs.toSorted((a, b) => a - b)
  return { name, p50: at(sorted, 0.5), p99: at(sorted, 0.99), count: sorted.length }
}

export const tell = ({ count, name, p50, p99 }: Figure): void =>
  console.log(
    `  ${name.padEnd(52)} p50 ${p50.toFixed(3).padStart(9)} ms  p99 ${p99.toFixed(3).padStart(9)} ms  n ${count}`
  )

export const tellNumber = (name: string, value: string): void => console.log(`  ${name.padEnd(52)} ${value}`)

/** Where and of what these figures are. */
export const heading = (question: string): void => {
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim()
  console.log(
    `${question}\n  commit ${commit}, Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? "?"}`
  )
}

/** Milliseconds that one run of this took. */
export const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

/** Seconds of CPU, user and system, that a process has used so far. */
export const cpuSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ")
  return (Number(fields[11]) + Number(fields[12])) / 100
}
