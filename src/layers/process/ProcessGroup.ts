/** A command in a session and a process group of its own: started, stopped, and killed with everything in its group. */
import { Deferred, Effect, Option, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { RuntimeUnavailable } from "#domain/Failure"
import type { ProcessTable } from "./ProcessTable.ts"

export interface Command {
  /** The program and its arguments. */
  readonly words: readonly [string, ...ReadonlyArray<string>]
  readonly directory: string
  readonly environment: Readonly<Record<string, string>>
  /** Both streams of all processes of the group, in the order they were written. */
  readonly onOutput: (chunk: Uint8Array) => void
}

export interface End {
  readonly code: number | undefined
  readonly signal: string | undefined
}

export interface ProcessGroup {
  /** Of the process that was started, and of its group. */
  readonly id: number
  /** Once that process has ended, and what it wrote has been read. Its group is dead by then. */
  readonly ended: Effect.Effect<End>
  readonly hasEnded: () => boolean
  readonly signal: (signal: "SIGSTOP" | "SIGCONT" | "SIGKILL") => void
}

export interface GroupLimits {
  readonly openFiles: number
  readonly lastOutputMs: number
  readonly goneLimitMs: number
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

/** Everything in the group ends with the process that was started. The id cannot have come again: that process is not reaped before. */
const watch = (child: ChildProcess, id: number, limits: GroupLimits, ended: Deferred.Deferred<End>): void => {
  child.once("exit", (code, signal) => {
    signalGroup(id, "SIGKILL")
    const tell = (): void => {
      clearTimeout(timer)
      child.stdout?.destroy()
      Deferred.doneUnsafe(ended, Effect.succeed({ code: code ?? undefined, signal: signal ?? undefined }))
    }
    // A process that left the group may hold the other end for ever.
    const timer = setTimeout(tell, limits.lastOutputMs)
    child.once("close", tell)
  })
}

const launch = (command: Command, limits: GroupLimits): Effect.Effect<ProcessGroup, RuntimeUnavailable> =>
  Effect.callback((resume) => {
    const words = ["-c", preparation, "sh", String(limits.openFiles), ...command.words]
    const child = spawn("/bin/sh", words, {
      cwd: command.directory,
      env: { ...command.environment },
      detached: true,
      stdio: ["ignore", "pipe", "ignore"]
    })
    child.once("error", (cause) =>
      resume(Effect.fail(new RuntimeUnavailable({ detail: `cannot start a process: ${cause.message}`, cause })))
    )
    const { pid } = child
    // Without a process there is an error, and it comes in a moment.
    if (pid === undefined) return
    const ended = Deferred.makeUnsafe<End>()
    child.stdout?.on("data", command.onOutput)
    watch(child, pid, limits, ended)
    resume(
      Effect.succeed({
        id: pid,
        ended: Deferred.await(ended),
        hasEnded: () => Deferred.isDoneUnsafe(ended),
        signal: (signal) => {
          if (!Deferred.isDoneUnsafe(ended)) signalGroup(pid, signal)
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
export const kill = (
  group: ProcessGroup,
  table: ProcessTable,
  limits: GroupLimits
): Effect.Effect<void, RuntimeUnavailable> =>
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
  table: ProcessTable,
  limits: GroupLimits
): Effect.Effect<ProcessGroup, RuntimeUnavailable, Scope.Scope> =>
  Effect.acquireRelease(launch(command, limits), (group) =>
    // A scope that ends has nobody to tell; what cannot be killed now is found by the next start.
    Effect.ignore(kill(group, table, limits), { log: "Warn" })
  )
