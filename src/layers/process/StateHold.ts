/** One engine at a time in a state directory: to each of two, the other's workers would be leftovers to be ended. */
import { Effect, Schema } from "effect"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"

export class StateInUse extends Schema.TaggedError<StateInUse>()("StateInUse", {
  directory: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `The workers in ${this.directory} belong to another Gateway or Agent: give each an ESB_HOME of its own (${this.detail})`
  }
}

/** Until the scope ends. The lock is SQLite's own: the system lets go of it when the process ends, however it ends. */
export const hold = (directory: string) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => {
        mkdirSync(directory, { recursive: true, mode: 0o700 })
        const lock = new DatabaseSync(join(directory, "workers.lock"), { timeout: 0 })
        lock.exec("BEGIN EXCLUSIVE")
        return lock
      },
      catch: (cause) => new StateInUse({ directory, detail: cause instanceof Error ? cause.message : String(cause) })
    }),
    (lock) => Effect.sync(() => lock.close())
  )
