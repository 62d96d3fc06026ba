/** A command in a session and a process group of its own: started, stopped, and killed with everything in its group. */
import { Deferred, Effect, Option, type Scope } from "effect"
import { RuntimeUnavailable } from "#domain/Failure"
import type { Launcher } from "./Launcher.ts"
import type { End } from "./LauncherProcess.ts"
import type { ProcessTable } from "./ProcessTable.ts"

export interface Command {
  /** The program and its arguments. */
  readonly words: readonly [string, ...ReadonlyArray<string>]
  readonly directory: string
  readonly environment: Readonly<Record<string, string>>
  /** Both streams of all processes of the group, in the order they were written. */
  readonly onOutput: (chunk: Uint8Array) => void
}

export interface ProcessGroup {
  /** Of the process that was started, and of its group. */
  readonly id: number
  /** Once that process has ended, and what it wrote has been read. Its group is dead by then. */
  readonly ended: Effect.Effect<End>
  readonly signal: (signal: "SIGSTOP" | "SIGCONT" | "SIGKILL") => void
}

export interface GroupLimits {
  readonly openFiles: number
  readonly goneLimitMs: number
}

/** What groups are made with. */
export interface Workshop {
  readonly launcher: Launcher
  readonly table: ProcessTable
  readonly limits: GroupLimits
}

/**
 * What the shell does before it becomes the command: one stream for both outputs, no core files, a limit on open files.
 * A lower limit of the system stays. Measured: 0.3 ms.
 */
const preparation = 'exec 2>&1; ulimit -c 0; ulimit -n "$1" 2>/dev/null; shift; exec "$@"'

const signalGroup = (id: number, signal: NodeJS.Signals | 0): boolean => {
  try {
    process.kill(-id, signal)
    return true
  } catch {
    // No process of the group is left.
    return false
  }
}

const launch = (command: Command, { launcher, limits }: Workshop): Effect.Effect<ProcessGroup, RuntimeUnavailable> =>
  Effect.suspend(() => {
    const ended = Deferred.makeUnsafe<End>()
    const { directory, environment, onOutput, words } = command
    return Effect.map(
      launcher.start({
        words: ["/bin/sh", "-c", preparation, "sh", String(limits.openFiles), ...words],
        directory,
        environment,
        onOutput,
        onEnded: (end) => Deferred.doneUnsafe(ended, Effect.succeed(end))
      }),
      (id) => ({
        id,
        ended: Deferred.await(ended),
        signal: (signal) => {
          if (!Deferred.isDoneUnsafe(ended)) signalGroup(id, signal)
        }
      })
    )
  })

/** A group is gone, or down to processes that only wait to be reaped, within moments of SIGKILL. */
const pollEveryMs = 2
/** From here on the process table is asked, which costs more: an init that does not reap leaves such processes for ever. */
const quickPolls = 10

const isAlive = (id: number, polls: number, table: ProcessTable): Effect.Effect<boolean> => {
  const isThere = signalGroup(id, 0)
  if (!isThere || polls < quickPolls) return Effect.succeed(isThere)
  return Effect.map(table.all, (entries) => entries.some((entry) => entry.group === id && !entry.ended))
}

const gone = (id: number, table: ProcessTable, polls = 0): Effect.Effect<void> =>
  Effect.flatMap(isAlive(id, polls, table), (alive) =>
    alive ? Effect.andThen(Effect.sleep(pollEveryMs), gone(id, table, polls + 1)) : Effect.void
  )

/** Fails when something of the group survives SIGKILL: a process that waits for a dead disk, for instance. */
export const kill = (group: ProcessGroup, { limits, table }: Workshop): Effect.Effect<void, RuntimeUnavailable> =>
  Effect.suspend(() => {
    group.signal("SIGKILL")
    return Effect.andThen(group.ended, gone(group.id, table))
  }).pipe(
    Effect.timeoutOption(limits.goneLimitMs),
    Effect.flatMap((done) =>
      Option.isSome(done)
        ? Effect.void
        : Effect.fail(new RuntimeUnavailable({ detail: `processes of group ${group.id} do not end` }))
    )
  )

/** Running when this returns, dead with its whole group when the scope has ended. */
export const start = (
  command: Command,
  workshop: Workshop
): Effect.Effect<ProcessGroup, RuntimeUnavailable, Scope.Scope> =>
  Effect.acquireRelease(launch(command, workshop), (group) =>
    // A scope that ends has nobody to tell; what cannot be killed now is found by the next start.
    Effect.ignore(kill(group, workshop), { log: "Warn" })
  )
