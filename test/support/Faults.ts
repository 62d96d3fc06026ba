/** What goes wrong on real machines, as verbs. */
import { Effect, Fiber, type Scope } from "effect"

/** `kill -9`: the process learns nothing of it. */
export const kill = (pid: number): Effect.Effect<void> => Effect.sync(() => void process.kill(pid, "SIGKILL"))

/** The process stands still until the scope ends, like one on a machine that swaps or sleeps. */
export const freeze = (pid: number): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => void process.kill(pid, "SIGSTOP")),
    () =>
      Effect.sync(() => {
        try {
          process.kill(pid, "SIGCONT")
        } catch {
          // It was killed while it stood still.
        }
      })
  )

/** The caller goes away in the middle of its call: its connection breaks. */
export const cut = <A, E>(call: Fiber.Fiber<A, E>): Effect.Effect<void> => Fiber.interrupt(call)
