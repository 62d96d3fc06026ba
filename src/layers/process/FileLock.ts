/** A file that one process at a time can hold. */
import { Data, Effect, type Scope } from "effect"

/** Somebody else holds the file, or it cannot be made. */
export class NotHeld extends Data.TaggedError("NotHeld")<{ readonly detail: string }> {
  override get message() {
    return this.detail
  }
}

/**
 * Held until the scope ends. The lock is SQLite's own: the system lets go of it when the process ends, however it ends, so that
 * a `kill -9` leaves nothing stale. {@link NotHeld} has what SQLite says.
 */
export const hold = Effect.fnUntraced(function* (path: string): Effect.fn.Return<void, NotHeld, Scope.Scope> {
  // Read only when it is wanted: most commands hold nothing.
  const { DatabaseSync } = yield* Effect.promise(() => import("node:sqlite"))
  yield* Effect.acquireRelease(
    Effect.try({
      try: () => {
        const lock = new DatabaseSync(path, { timeout: 0 })
        try {
          lock.exec("BEGIN EXCLUSIVE")
          return lock
        } catch (cause) {
          lock.close()
          throw cause
        }
      },
      catch: (cause) => new NotHeld({ detail: cause instanceof Error ? cause.message : String(cause) })
    }),
    (lock) => Effect.sync(() => lock.close())
  )
})
