/** What a build is made of, as the tar stream that an engine takes: the Dockerfile, and directories of this host. */
import * as NodeStream from "@effect/platform-node/NodeStream"
import { Effect, Schema, Stream } from "effect"
import { Tar } from "effect/encoding"
import { createReadStream } from "node:fs"
import { lstat, readdir, readFile, readlink } from "node:fs/promises"
import { join } from "node:path"
import type { Readable } from "node:stream"
import { parse as parseIgnore } from "#domain/DockerIgnore"

/** A directory of the context, or something in it, is not there or nothing that an image can have. */
export class ContextUnreadable extends Schema.TaggedError<ContextUnreadable>()("ContextUnreadable", {
  message: Schema.String
}) {}

const dockerfileName = "Dockerfile"

/** How much of a file is read at a time. */
const chunkBytes = 262_144

const content = (path: string) =>
  NodeStream.fromReadable({
    evaluate: () => createReadStream(path, { highWaterMark: chunkBytes }),
    onError: (cause) => new Error(`${path} cannot be read`, { cause })
  })

export type Entry = Tar.Entry<Error>

/** Everybody may read what is in an image: workers run as a user of their own. */
const entryOf = async (path: string, name: string): Promise<Entry> => {
  const found = await lstat(path)
  if (found.isDirectory()) return Tar.directory(name)
  if (found.isSymbolicLink()) return Tar.symlink(name, await readlink(path))
  if (!found.isFile()) throw new Error(`${path} is neither a file, a directory nor a link`)
  return Tar.fileStream(name, found.size, content(path), { mode: (found.mode & 0o111) === 0 ? 0o644 : 0o755 })
}

/** The directory and all below it, in an order that is always the same. */
const entriesOf = async (root: string, name: string): Promise<ReadonlyArray<Entry>> => {
  const entries: Array<Entry> = [Tar.directory(name)]
  for (const item of (await readdir(root, { withFileTypes: true })).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const [path, inner] = [join(root, item.name), `${name}/${item.name}`]
    if (item.isDirectory()) entries.push(...(await entriesOf(path, inner)))
    else entries.push(await entryOf(path, inner))
  }
  return entries
}

const looking = (look: () => Promise<ReadonlyArray<Entry>>): Effect.Effect<ReadonlyArray<Entry>, ContextUnreadable> =>
  Effect.tryPromise({
    try: look,
    catch: (cause) => new ContextUnreadable({ message: cause instanceof Error ? cause.message : String(cause) })
  })

/** What the archive will hold, looked up but not read yet. */
export const entries = (dockerfile: string, context: Readonly<Record<string, string>>) =>
  looking(async () => {
    const trees = await Promise.all(Object.entries(context).map(([name, directory]) => entriesOf(directory, name)))
    return [Tar.file(dockerfileName, dockerfile), ...trees.flat()]
  })

const ignoreFileName = ".dockerignore"

const ignoreOf = (root: string): Promise<string> =>
  readFile(join(root, ignoreFileName), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return ""
    throw error
  })

/**
 * A directory whose Dockerfile lies in it. That and the `.dockerignore` are sent in any case: the engine reads them, and leaves
 * them out where they are ignored.
 */
export const directory = (root: string, dockerfile: string) =>
  looking(async () => {
    const { hasExceptions, ignores } = parseIgnore(await ignoreOf(root))
    const isKept = (path: string): boolean => path === dockerfile || path === ignoreFileName || !ignores(path)
    const isOnTheWay = (path: string): boolean => hasExceptions || dockerfile.startsWith(`${path}/`)

    const below = async (path: string): Promise<ReadonlyArray<Entry>> => {
      const items = await readdir(join(root, path), { withFileTypes: true })
      const found: Array<Entry> = []
      for (const item of items.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
        const inner = path === "" ? item.name : `${path}/${item.name}`
        if (isKept(inner)) found.push(await entryOf(join(root, inner), inner))
        if (item.isDirectory() && (isKept(inner) || isOnTheWay(inner))) found.push(...(await below(inner)))
      }
      return found
    }
    return below("")
  })

/** The archive; its files are opened one after another while it is read. Destroying it closes the one that is open. */
export const archive = (from: ReadonlyArray<Entry>): Readable =>
  NodeStream.toReadableNever(
    Stream.fromIterable(from).pipe(Stream.pipeThroughChannel(Tar.encode<never, unknown, Entry>()))
  )
