/** Notices that sources change: one watch on each directory, because a watch on a whole tree would look into all packages. */
import { Effect, Queue, type Scope } from "effect"
import { existsSync, type FSWatcher, readdirSync, statSync, watch } from "node:fs"
import { basename, dirname, join } from "node:path"

/** Files are often written in several steps; this long after the last one they are taken for done. */
const settleMs = 30

/** Never looked into: nobody writes code there by hand, and there may be very many. */
const ignored = new Set([".git", ".aws-sam", ".esb", "__pycache__", ".venv", "venv"])

/** Packages were installed beside a `package.json`; without one somebody wrote them, as in a layer. */
const isIgnored = (directory: string, name: string): boolean =>
  ignored.has(name) || (name === "node_modules" && existsSync(join(directory, "package.json")))

export interface SourceWatch {
  /** From now on these files and directories, and no others. */
  readonly follow: (paths: ReadonlyArray<string>) => Effect.Effect<void>
  /** Succeeds some milliseconds after something changed. Changes during the wait of nobody are remembered as one. */
  readonly changed: Effect.Effect<void>
}

const directoriesUnder = (root: string): ReadonlyArray<string> => {
  try {
    const inner = readdirSync(root, { withFileTypes: true }).filter(
      (item) => item.isDirectory() && !isIgnored(root, item.name)
    )
    return [root, ...inner.flatMap((item) => directoriesUnder(join(root, item.name)))]
  } catch {
    // It went while we looked.
    return []
  }
}

const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

/** `warn` is told of a directory that cannot be watched. */
export const make = (warn: (line: string) => void): Effect.Effect<SourceWatch, never, Scope.Scope> =>
  Effect.gen(function* () {
    const changes = yield* Queue.sliding<void>(1)
    /** By directory: whether all of it counts, or only some of its files. */
    const wanted = new Map<string, "all" | Set<string>>()
    const watchers = new Map<string, FSWatcher>()

    const stop = (directory: string) => {
      watchers.get(directory)?.close()
      watchers.delete(directory)
    }
    const begin = (directory: string) => {
      if (watchers.has(directory)) return
      try {
        const watcher = watch(directory, (_event, name) => {
          const scope = wanted.get(directory)
          if (
            scope === undefined ||
            (name !== null && (isIgnored(directory, name) || (scope !== "all" && !scope.has(name))))
          )
            return
          if (scope === "all" && name !== null) adopt(join(directory, name))
          Queue.offerUnsafe(changes, undefined)
        })
        watcher.on("error", () => stop(directory))
        watchers.set(directory, watcher)
      } catch (error) {
        warn(`changes in ${directory} are not noticed: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    /** A directory that appeared is watched, with all it holds; it may have taken the place of one that went. */
    const adopt = (path: string) => {
      if (!isDirectory(path)) return
      for (const directory of directoriesUnder(path)) {
        wanted.set(directory, "all")
        stop(directory)
        begin(directory)
      }
    }

    const follow = (paths: ReadonlyArray<string>) => {
      wanted.clear()
      for (const path of paths) {
        if (isDirectory(path)) for (const directory of directoriesUnder(path)) wanted.set(directory, "all")
      }
      for (const path of paths.filter((each) => !isDirectory(each))) {
        const directory = dirname(path)
        const scope = wanted.get(directory) ?? new Set()
        if (scope !== "all") wanted.set(directory, scope.add(basename(path)))
      }
      for (const directory of watchers.keys()) if (!wanted.has(directory)) stop(directory)
      for (const directory of wanted.keys()) begin(directory)
    }

    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const directory of watchers.keys()) stop(directory)
      })
    )
    const quiet: Effect.Effect<void> = Effect.gen(function* () {
      yield* Effect.sleep(settleMs)
      if ((yield* Queue.clear(changes)).length > 0) yield* quiet
    })
    return {
      follow: (paths) => Effect.sync(() => follow(paths)),
      changed: Queue.take(changes).pipe(Effect.andThen(quiet))
    }
  })
