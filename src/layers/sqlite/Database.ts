/** Opens a SQLite file of ours, or says why it is not one. Runs in the SQLite thread. */
import { statSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"

export interface Format {
  /** Marks the file as ours; four ASCII letters as a number. */
  readonly applicationId: number
  /** Statement lists that lead from each version of the format to the next, the first one from an empty file. */
  readonly migrations: ReadonlyArray<string>
  readonly maxFileBytes: number | undefined
}

const pageBytes = 4096
/** A burst may grow the write-ahead log; afterwards it is cut back to this. */
const maxWalBytes = 64 * 1024 ** 2

/**
 * What `use` makes of the file at `path`, which is locked until it is closed, so that two programs never share a queue. A file that is damaged, that another
 * program made, or that a newer version of this one wrote, is refused with the reason and left as it is.
 */
export const open = <A>(path: string, format: Format, use: (database: DatabaseSync) => A): A => {
  refuseEmptied(path)
  const database = new DatabaseSync(path)
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE")
    const version = versionOf(database, format)
    if (pragma(database, "journal_mode = WAL") !== "wal") throw new Error("the file system allows no write-ahead log")
    // The write-ahead log is flushed before it is copied into the file; who wants more flushes it himself.
    database.exec(`PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = ${maxWalBytes}`)
    migrate(database, format, version)
    if (format.maxFileBytes !== undefined) {
      database.exec(`PRAGMA max_page_count = ${Math.ceil(format.maxFileBytes / pageBytes)}`)
    }
    return use(database)
  } catch (error) {
    database.close()
    throw error
  }
}

/** The only column of the only row. */
const pragma = (database: DatabaseSync, wish: string) =>
  Object.values(database.prepare(`PRAGMA ${wish}`).get() ?? {})[0]

/** The space that is in use, without pages that wait to be used again. */
export const usedBytes = (database: DatabaseSync): number =>
  (Number(pragma(database, "page_count")) - Number(pragma(database, "freelist_count"))) * pageBytes

/** SQLite takes an emptied file for a new one and throws its write-ahead log away. */
const refuseEmptied = (path: string) => {
  const bytesOf = (file: string) => statSync(file, { throwIfNoEntry: false })?.size
  if (bytesOf(path) === 0 && (bytesOf(`${path}-wal`) ?? 0) > 0) {
    throw new Error("the file is empty, but its write-ahead log is not")
  }
}

const versionOf = (database: DatabaseSync, { applicationId, migrations }: Format): number => {
  const version = Number(pragma(database, "user_version"))
  const isNew = version === 0 && database.prepare("SELECT 1 FROM sqlite_schema").get() === undefined
  if (!isNew && pragma(database, "application_id") !== applicationId)
    throw new Error("the file belongs to another program")
  if (version > migrations.length) {
    throw new Error(`the file was written by a newer version (format ${version}; this one knows ${migrations.length})`)
  }
  return version
}

const migrate = (database: DatabaseSync, { applicationId, migrations }: Format, version: number) => {
  if (version === migrations.length) return
  database.exec("BEGIN IMMEDIATE")
  for (const statements of migrations.slice(version)) database.exec(statements)
  database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${migrations.length}; COMMIT`)
}

/**
 * All of it or nothing: when `work` throws, the file is as it was. SQLite has already rolled back by itself when the
 * disk was full.
 */
export const transaction = <A>(database: DatabaseSync, work: () => A): A => {
  database.exec("BEGIN IMMEDIATE")
  try {
    const result = work()
    database.exec("COMMIT")
    return result
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK")
    throw error
  }
}
