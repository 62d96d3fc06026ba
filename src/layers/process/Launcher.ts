/** Starts processes without halting this one. `LauncherProgram` says why that takes another process. */
import { Effect, Option, type Scope } from "effect"
import { RuntimeUnavailable } from "#domain/Failure"
import { type Charge, LauncherProcess } from "./LauncherProcess.ts"

export interface LauncherLimits {
  readonly lastOutputMs: number
  /** From the request to the news that a process runs. */
  readonly launchLimitMs: number
}

export interface Launcher {
  /** The pid of a process that runs. */
  readonly start: (charge: Omit<Charge, "onStarted" | "onFailed">) => Effect.Effect<number, RuntimeUnavailable>
}

const unavailable = (detail: string) => new RuntimeUnavailable({ detail: `cannot start a process: ${detail}` })

/** A launcher that is gone is replaced at the next start. With the scope it ends, and everything it started. */
export const make = ({ lastOutputMs, launchLimitMs }: LauncherLimits): Effect.Effect<Launcher, never, Scope.Scope> =>
  Effect.gen(function* () {
    let current: LauncherProcess | undefined

    const there = (): LauncherProcess => {
      if (current?.isThere !== true) current = new LauncherProcess(lastOutputMs)
      return current
    }

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        if (current === undefined) return Effect.void
        const { gone } = current
        current.dismiss()
        return Effect.promise(() => gone).pipe(Effect.timeoutOption(launchLimitMs), Effect.asVoid)
      })
    )

    const start: Launcher["start"] = (charge) =>
      Effect.callback<number, RuntimeUnavailable>((resume) => {
        try {
          there().start({
            ...charge,
            onStarted: (pid) => resume(Effect.succeed(pid)),
            onFailed: (message) => resume(Effect.fail(unavailable(message)))
          })
        } catch (cause) {
          // No directory for its socket, or no process to be had.
          resume(Effect.fail(unavailable(String(cause))))
        }
      }).pipe(
        Effect.timeoutOption(launchLimitMs),
        Effect.flatMap(
          Option.match({
            onSome: Effect.succeed,
            onNone: () => {
              // It may still start what nobody waits for: it goes, and takes everything with it.
              current?.kill()
              return Effect.fail(unavailable(`the launcher did not answer within ${launchLimitMs} ms`))
            }
          })
        )
      )

    // It takes as long to start as a worker: by the first call it is there.
    yield* Effect.sync(there).pipe(Effect.ignoreCause({ log: "Warn" }))
    return { start }
  })
