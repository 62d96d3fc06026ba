/**
 * The directory where builds lie, each under its key. A build is made under a temporary name and renamed when it is done, so
 * that one with a key is whole; equal builds at the same time are made once.
 */
import { Clock, Duration, Effect, RcMap, type Scope, Semaphore } from "effect"
import { randomUUID } from "node:crypto"
import {
  chmod,
  constants,
  copyFile,
  link,
  lstat,
  mkdir,
  readdir,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  utimes
} from "node:fs/promises"
import { join } from "node:path"
import { isForeign } from "./SourceTree.ts"
import { attempt, type Unbuildable } from "./Unbuildable.ts"

/** A build that nobody asked for in this time is removed at the next start. */
const keptFor = Duration.days(7)

const temporaryPrefix = ".making-"

export interface BuildDirectory {
  /** The path of the build of this key: made by `body` in the empty directory it is given, unless it is there already. */
  readonly make: <R>(
    key: string,
    body: (directory: string) => Effect.Effect<void, Unbuildable, R>
  ) => Effect.Effect<string, Unbuildable, R>
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false
  )

/** Removes builds that are old, and what a killed run left half made. */
const sweep = async (root: string, nowUnixMs: number) => {
  for (const name of (await exists(root)) ? await readdir(root) : []) {
    const { mtimeMs } = await stat(join(root, name))
    const age = nowUnixMs - mtimeMs
    const limit = name.startsWith(temporaryPrefix) ? Duration.hours(1) : keptFor
    if (age > Duration.toMillis(limit)) await rm(join(root, name), { recursive: true, force: true })
  }
}

export const open = (root: string): Effect.Effect<BuildDirectory, Unbuildable, Scope.Scope> =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    yield* attempt(() => sweep(root, now))
    const locks = yield* RcMap.make({ lookup: (_key: string) => Semaphore.make(1) })

    const make = Effect.fnUntraced(function* <R>(
      key: string,
      body: (directory: string) => Effect.Effect<void, Unbuildable, R>
    ) {
      const path = join(root, key)
      const seconds = (yield* Clock.currentTimeMillis) / 1000
      // The time of its last use is the age of a build.
      const isThere = yield* attempt(() => utimes(path, seconds, seconds).then(() => true)).pipe(
        Effect.orElseSucceed(() => false)
      )
      if (isThere) return path
      const made = join(root, `${temporaryPrefix}${randomUUID()}`)
      yield* attempt(() => mkdir(made, { recursive: true }))
      yield* body(made).pipe(
        Effect.andThen(attempt(() => rename(made, path))),
        Effect.onError(() => Effect.promise(() => rm(made, { recursive: true, force: true })))
      )
      return path
    })

    return {
      make: (key, body) =>
        RcMap.get(locks, key).pipe(
          Effect.flatMap((lock) => lock.withPermits(1)(make(key, body))),
          Effect.scoped
        )
    }
  })

/** Copies a directory without what is foreign to a function; `omit` leaves out more names at its top. */
export const copyTree = async (from: string, to: string, omit: ReadonlySet<string> = new Set()): Promise<void> => {
  await mkdir(to, { recursive: true })
  for (const item of await readdir(from, { withFileTypes: true })) {
    if (isForeign(item.name) || omit.has(item.name)) continue
    const [source, target] = [join(from, item.name), join(to, item.name)]
    if (item.isDirectory()) await copyTree(source, target)
    else if (item.isSymbolicLink()) await symlink(await readlink(source), target)
    else {
      await copyFile(source, target, constants.COPYFILE_FICLONE)
      await chmod(target, (await lstat(source)).mode & 0o777)
    }
  }
}

/** A second name for every file of a finished build: nobody writes to it, so nobody notices. */
export const linkTree = async (from: string, to: string): Promise<void> => {
  await mkdir(to, { recursive: true })
  for (const item of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, item.name), join(to, item.name)]
    if (item.isDirectory()) await linkTree(source, target)
    else if (item.isSymbolicLink()) await symlink(await readlink(source), target)
    else if (!(await exists(target))) await link(source, target).catch(() => copyFile(source, target))
  }
}
