/** What lies under a directory, as an artifact sees it: files, links and empty directories, each with a relative path. */
import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { lstat, readdir, readlink, realpath } from "node:fs/promises"
import { isAbsolute, join, relative, resolve, sep } from "node:path"
import { pipeline } from "node:stream/promises"

export type Entry =
  | { readonly _tag: "File"; readonly source: string; readonly isExecutable: boolean; readonly size: number }
  | { readonly _tag: "Link"; readonly target: string }
  | { readonly _tag: "Directory" }

/** Entries by path, `/` between the parts. */
export type FileTree = ReadonlyMap<string, Entry>

/** Files that are open at one time. */
const openFiles = 16

/** Runs `work` on every item, {@link openFiles} at a time. */
export const forEachFile = async <A>(items: Iterable<A>, work: (item: A) => Promise<void>): Promise<void> => {
  const rest = items[Symbol.iterator]()
  const worker = async () => {
    for (let next = rest.next(); next.done !== true; next = rest.next()) await work(next.value)
  }
  await Promise.all(Array.from({ length: openFiles }, worker))
}

const leaves = (root: string, from: string, target: string): boolean => {
  if (isAbsolute(target)) return true
  const way = relative(root, resolve(from, target))
  return way === ".." || way.startsWith(`..${sep}`)
}

/**
 * Reads the tree at `root`. Throws at a link that leads out of the root, and at a socket, a pipe or a device: an artifact
 * must mean the same wherever it lies.
 */
export const read = async (root: string): Promise<FileTree> => {
  const entries = new Map<string, Entry>()
  const top = await realpath(root)
  const visit = async (directory: string, prefix: string): Promise<void> => {
    const items = await readdir(directory, { withFileTypes: true })
    if (items.length === 0 && prefix !== "") entries.set(prefix.slice(0, -1), { _tag: "Directory" })
    for (const item of items) {
      const path = join(directory, item.name)
      const name = `${prefix}${item.name}`
      if (item.isDirectory()) {
        await visit(path, `${name}/`)
      } else if (item.isSymbolicLink()) {
        const target = await readlink(path)
        if (leaves(top, directory, target)) throw new Error(`${path} links to ${target}, which is outside of ${root}`)
        entries.set(name, { _tag: "Link", target })
      } else if (item.isFile()) {
        const { mode, size } = await lstat(path)
        entries.set(name, { _tag: "File", source: path, isExecutable: (mode & 0o111) !== 0, size })
      } else {
        throw new Error(`${path} is neither a file, a directory nor a link`)
      }
    }
  }
  await visit(top, "")
  return entries
}

const parentsOf = (path: string): ReadonlyArray<string> => {
  const parts = path.split("/")
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"))
}

/** Trees laid over one another: a later one replaces what it names, and everything under a name that it makes a file. */
export const overlay = (trees: ReadonlyArray<FileTree>): FileTree => {
  const merged = new Map<string, Entry>()
  const filled = new Set<string>()
  for (const [path, entry] of trees.flatMap((tree) => [...tree])) {
    for (const parent of parentsOf(path)) {
      merged.delete(parent)
      filled.add(parent)
    }
    if (filled.has(path)) {
      if (entry._tag === "Directory") continue
      for (const other of merged.keys()) if (other.startsWith(`${path}/`)) merged.delete(other)
      filled.delete(path)
    }
    merged.set(path, entry)
  }
  return merged
}

/** The same tree one directory deeper. */
export const under = (directory: string, tree: FileTree): FileTree =>
  new Map([...tree].map(([path, entry]) => [`${directory}/${path}`, entry]))

const contentDigest = async (path: string): Promise<string> => {
  const hash = createHash("sha256")
  await pipeline(createReadStream(path), hash)
  return hash.digest("hex")
}

/**
 * 64 hex digits over paths, execute bits, link targets and contents; times, owners and the order of reading play no part.
 * `locate` says where the content of a path is read, its source by default.
 */
export const digest = async (tree: FileTree, locate?: (path: string) => string): Promise<string> => {
  const lines = new Map<string, string>()
  await forEachFile(tree, async ([path, entry]) => {
    switch (entry._tag) {
      case "File": {
        const content = await contentDigest(locate === undefined ? entry.source : locate(path))
        lines.set(path, `file ${entry.isExecutable ? "x" : "-"} ${content}`)
        return
      }
      case "Link":
        lines.set(path, `link ${JSON.stringify(entry.target)}`)
        return
      case "Directory":
        lines.set(path, "directory")
    }
  })
  const hash = createHash("sha256")
  for (const path of [...lines.keys()].toSorted()) hash.update(`${JSON.stringify(path)} ${lines.get(path)}\n`)
  return hash.digest("hex")
}
