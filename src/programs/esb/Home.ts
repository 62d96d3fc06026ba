/** The directory that holds a stack's state: found, made, and held by one `esb up` at a time. */
import { Config, Effect, Option, Schema } from "effect"
import { existsSync } from "node:fs"
import { chmod, chown, mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises"
import { basename, dirname, join, resolve } from "node:path"
import * as FileLock from "#layers/process/FileLock"
import { HomeDirectory } from "./Globals.ts"
import { CommandFailed, HomeInUse } from "./Refusal.ts"
import * as RunFile from "./RunFile.ts"

const directoryName = ".esb"

/** What `--home` or `ESB_HOME` says. */
const given = Effect.gen(function* () {
  const flag = yield* HomeDirectory
  const variable = yield* Config.option(Config.NonEmptyString("ESB_HOME")).pipe(
    Effect.orElseSucceed(() => Option.none<string>())
  )
  return Option.getOrUndefined(Option.map(Option.firstSomeOf([flag, variable]), (path) => resolve(path)))
})

const nearest = (from: string): string | undefined => {
  const candidate = join(from, directoryName)
  if (existsSync(candidate)) return candidate
  return dirname(from) === from ? undefined : nearest(dirname(from))
}

/** The home that commands of this directory talk about; `undefined` when there is none. */
export const find = Effect.map(given, (path) => path ?? nearest(process.cwd()))

/** The home of a template: given, else the nearest `.esb` upwards from it, else beside it. */
export const forTemplate = (template: string) =>
  Effect.map(given, (path) => path ?? nearest(dirname(template)) ?? join(dirname(template), directoryName))

/** File work whose failure is the reader's to mend. */
export const attempt = <A>(doing: string, work: () => Promise<A>): Effect.Effect<A, CommandFailed> =>
  Effect.tryPromise({
    try: work,
    catch: (cause) =>
      new CommandFailed({ message: `${doing}: ${cause instanceof Error ? cause.message : String(cause)}` })
  })

/** What root writes into a directory of the containers' user is for that user. */
export const belongsWith = async (path: string): Promise<void> => {
  if (process.getuid?.() !== 0) return
  const { gid, uid } = await stat(dirname(path))
  await chown(path, uid, gid)
}

/** Replaces a file in one step: a reader sees the old content or the new one. It belongs to whom its directory belongs. */
export const replaceFile = async (path: string, content: string, mode: number): Promise<void> => {
  const fresh = `${path}.${process.pid}`
  await writeFile(fresh, content, { mode })
  await belongsWith(fresh)
  await rename(fresh, path)
}

/** Files that only a state directory has. */
const marks = ["credentials.json", "holder.json"]
/** What is there when a start was broken off, or code was built and never started; other directories have such, too. */
const beginnings = new Set([
  ".gitignore",
  "config",
  "certs",
  "build",
  "artifacts",
  "sdk",
  "lock",
  "deploy.lock",
  "workers",
  "secrets",
  "staging",
  "compose.env",
  "given.json",
  "workers.lock"
])

/** Whether a directory is for something else than the state of a stack. */
const isOthers = async (directory: string): Promise<boolean> => {
  if (!existsSync(directory) || basename(directory) === directoryName) return false
  const names = await readdir(directory)
  return !names.some((name) => marks.includes(name)) && !names.every((name) => beginnings.has(name))
}

/**
 * Makes the directory, or sees to it that nobody else may look into the one that is there. Fails, and changes nothing, where
 * that is a directory for something else.
 */
export const make = Effect.fnUntraced(function* (home: string) {
  const doing = `The state directory ${home} cannot be used`
  if (yield* attempt(doing, () => isOthers(home))) {
    return yield* new CommandFailed({
      message: `${home} has other files in it: keep the state in a directory of its own, such as --home ${join(home, directoryName)}`
    })
  }
  yield* attempt(doing, async () => {
    await mkdir(join(home, "config"), { recursive: true, mode: 0o700 })
    await chmod(home, 0o700)
    const ignored = join(home, ".gitignore")
    if (!existsSync(ignored)) await writeFile(ignored, "*\n")
  })
})

const Holder = Schema.fromJsonString(Schema.Struct({ pid: Schema.Int }))

const holderOf = (home: string) =>
  attempt("unread", () => readFile(join(home, "holder.json"), "utf8")).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(Holder)),
    Effect.map(({ pid }): number | undefined => pid),
    Effect.orElseSucceed(() => undefined)
  )

/** Holds the home until the scope ends. */
export const hold = Effect.fnUntraced(function* (home: string) {
  const run = yield* RunFile.read(home)
  const holder = yield* holderOf(home)
  yield* Effect.mapError(
    FileLock.hold(join(home, "lock")),
    () => new HomeInUse({ home, pid: run?.mode === "embedded" ? run.supervisor.pid : holder, url: run?.gateway })
  )
  yield* attempt(`The state directory ${home} cannot be used`, () =>
    replaceFile(join(home, "holder.json"), JSON.stringify({ pid: process.pid }), 0o600)
  )
})
