/** What a build is made of, as the tar stream that an engine takes: the Dockerfile, and directories of this host. */
import * as NodeStream from "@effect/platform-node/NodeStream"
import { Effect, Schema, Stream } from "effect"
import { Tar } from "effect/encoding"
import { createReadStream } from "node:fs"
import { lstat, readdir, readlink } from "node:fs/promises"
import { join } from "node:path"
import type { Readable } from "node:stream"

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

/** What the archive will hold, looked up but not read yet. */
export const entries = (
  dockerfile: string,
  context: Readonly<Record<string, string>>
): Effect.Effect<ReadonlyArray<Entry>, ContextUnreadable> =>
  Effect.tryPromise({
    try: async () => {
      const trees = await Promise.all(Object.entries(context).map(([name, directory]) => entriesOf(directory, name)))
      return [Tar.file(dockerfileName, dockerfile), ...trees.flat()]
    },
    catch: (cause) => new ContextUnreadable({ message: cause instanceof Error ? cause.message : String(cause) })
  })

/** The archive; its files are opened one after another while it is read. Destroying it closes the one that is open. */
export const archive = (from: ReadonlyArray<Entry>): Readable =>
  NodeStream.toReadableNever(
    Stream.fromIterable(from).pipe(Stream.pipeThroughChannel(Tar.encode<never, unknown, Entry>()))
  )
