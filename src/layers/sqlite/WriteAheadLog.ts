/**
 * Brings what SQLite has committed to the disk. With `synchronous = FULL` SQLite would do so itself by `fsync`, which also
 * waits for the file's times; `fdatasync` waits for what the next start needs and for nothing else. Runs in the SQLite thread.
 */
import { closeSync, fdatasyncSync, openSync } from "node:fs"
import type { DatabaseSync } from "node:sqlite"
import { one } from "./Statements.ts"

export interface WriteAheadLog {
  /** Everything committed so far is on the disk when this returns. Throws when that cannot be said, and then always. */
  readonly flush: () => void
  readonly close: () => void
}

/** Of an open database in WAL mode. The log exists from its first commit on, and stays the same file until the close. */
export const open = (database: DatabaseSync, path: string): WriteAheadLog => {
  let file: number | undefined
  const changes = one<{ readonly total: number }>(database, "SELECT total_changes() AS total")
  let flushed = -1
  let broken: unknown
  return {
    flush: () => {
      // A flush that failed may have dropped what it failed to write: the next one would succeed and prove nothing.
      if (broken !== undefined) throw broken
      const written = changes()?.total ?? 0
      if (written === flushed) return
      try {
        file ??= openSync(`${path}-wal`, "r")
        fdatasyncSync(file)
        flushed = written
      } catch (error) {
        broken = error
        throw error
      }
    },
    close: () => {
      if (file !== undefined) closeSync(file)
    }
  }
}
