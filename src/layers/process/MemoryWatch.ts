/**
 * Keeps workers within their memory: measures the resident size of all processes of a worker while it runs, and kills it
 * when that is more than it has. An address space limit would do it sooner, but Node reserves more than 1 GiB of it.
 */
import { Effect } from "effect"
import type { ContainerId, Phase } from "#domain/Worker"
import type { ProcessSettings } from "./ProcessSettings.ts"
import type { ProcessEntry, ProcessTable } from "./ProcessTable.ts"
import { groupsOf, type ProcessWorker } from "./ProcessWorker.ts"

/** Resident bytes per group. */
const sizes = (entries: ReadonlyArray<ProcessEntry>): ReadonlyMap<number, number> => {
  const bytes = new Map<number, number>()
  for (const { group, residentBytes } of entries) bytes.set(group, (bytes.get(group) ?? 0) + residentBytes)
  return bytes
}

const sizeOf = (worker: ProcessWorker, bytes: ReadonlyMap<number, number>): number =>
  groupsOf(worker).reduce((sum, { id }) => sum + (bytes.get(id) ?? 0), 0)

const judge = (worker: ProcessWorker, memoryBytes: number): void => {
  worker.door.measured(memoryBytes)
  if (memoryBytes <= worker.memoryLimitBytes || worker.outOfMemory) return
  worker.outOfMemory = true
  worker.runtime.signal("SIGKILL")
}

/** One look at a worker that has just become ready, so that even its first short call has something to report. */
export const lookOnce = (worker: ProcessWorker, table: ProcessTable): Effect.Effect<void> =>
  Effect.map(table.some(groupsOf(worker).map(({ id }) => id)), (entries) =>
    judge(worker, sizeOf(worker, sizes(entries)))
  )

/** Looks for ever. A worker that is idle, frozen or ended has nothing new to show and is passed over. */
export const watch = (
  workers: ReadonlyMap<ContainerId, ProcessWorker>,
  phaseOf: (id: ContainerId) => Phase | undefined,
  table: ProcessTable,
  { countEveryMs, sampleEveryMs }: ProcessSettings
): Effect.Effect<never> => {
  const callsSeen = new WeakMap<ProcessWorker, number>()
  /** The group of every process of a worker, as of the last count. */
  let members: ReadonlyMap<number, number> = new Map()
  let sinceCountMs = countEveryMs

  const isActive = (worker: ProcessWorker): boolean => {
    if (worker.status !== "RUNNING") return false
    const calls = worker.door.callCount()
    const isNew = callsSeen.get(worker) !== calls
    callsSeen.set(worker, calls)
    return isNew || phaseOf(worker.worker.id) !== "idle"
  }

  const count = Effect.map(table.all, (entries) => {
    const groups = new Set([...workers.values()].flatMap((worker) => groupsOf(worker).map(({ id }) => id)))
    const ours = entries.filter(({ group }) => groups.has(group))
    members = new Map(ours.map(({ group, pid }) => [pid, group]))
    sinceCountMs = 0
    return ours
  })

  /** All processes of these workers: counted anew from time to time, which costs the most, and only measured in between. */
  const entriesOf = (active: ReadonlyArray<ProcessWorker>) => {
    sinceCountMs += sampleEveryMs
    const leaders = active.flatMap((worker) => groupsOf(worker).map(({ id }) => id))
    if (sinceCountMs >= countEveryMs || leaders.some((id) => !members.has(id))) return count
    const groups = new Set(leaders)
    return table.some([...members].flatMap(([pid, group]) => (groups.has(group) ? pid : [])))
  }

  const look = Effect.suspend(() => {
    const active = [...workers.values()].filter(isActive)
    if (active.length === 0) return Effect.void
    return Effect.map(entriesOf(active), (entries) => {
      const bytes = sizes(entries)
      for (const worker of active) judge(worker, sizeOf(worker, bytes))
    })
  })

  return Effect.forever(Effect.delay(look, sampleEveryMs))
}
