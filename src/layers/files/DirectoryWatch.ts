/**
 * Tells when files change, by the directories they are in: a rename replaces a file, but not its directory. Where the
 * system does not tell, nothing is told: who must know looks by the clock as well.
 */
import { type FSWatcher, watch } from "node:fs"
import { stat } from "node:fs/promises"
import { basename, dirname } from "node:path"
import { Effect } from "effect"

export interface DirectoryWatch {
  /** Watches directories that came, or came again, since the last time. */
  readonly refresh: Effect.Effect<void>
}

interface Watched {
  readonly watcher: FSWatcher
  readonly inode: bigint
}

const inodeOf = (directory: string): Promise<bigint | undefined> =>
  stat(directory, { bigint: true }).then(
    ({ ino }) => ino,
    // Not there, or not for us to see: either way there is nothing to watch.
    () => undefined
  )

/** Watches from the first `refresh` until the scope ends. */
export const make = Effect.fnUntraced(function* (paths: ReadonlyArray<string>, changed: () => void) {
  const names = new Set(paths.map((path) => basename(path)))
  const directories = new Set(paths.map((path) => dirname(path)))
  const watched = new Map<string, Watched>()

  const forget = (directory: string): void => {
    watched.get(directory)?.watcher.close()
    watched.delete(directory)
  }
  yield* Effect.addFinalizer(() => Effect.sync(() => [...watched.keys()].forEach(forget)))

  const open = (directory: string, inode: bigint): void => {
    const watcher = watch(directory, { persistent: false }, (_, name) => {
      // A mounted Kubernetes volume changes by renaming `..data`.
      if (name === null || names.has(name) || name.startsWith("..")) {
        changed()
      }
    })
    watcher.on("error", () => forget(directory))
    watched.set(directory, { watcher, inode })
  }

  const refreshOne = (directory: string) =>
    Effect.tryPromise(async () => {
      const inode = await inodeOf(directory)
      if (watched.get(directory)?.inode !== inode) {
        forget(directory)
        if (inode !== undefined) {
          open(directory, inode)
        }
      }
    })

  const watching: DirectoryWatch = {
    // A system out of watches refuses: it is asked again the next time.
    refresh: Effect.forEach(directories, (directory) => Effect.ignore(refreshOne(directory)), { discard: true })
  }
  return watching
})
