/** What lies at a `CodeUri`: enough of it to know whether it has changed since it was built. */
import { createHash } from "node:crypto"
import type { BigIntStats } from "node:fs"
import { lstat, readdir, stat } from "node:fs/promises"
import { basename, join } from "node:path"

/** Never part of a function: what version control, editors, test tools and we keep beside the code. */
const foreign = new Set([
  ".git",
  ".hg",
  ".svn",
  ".esb",
  ".aws-sam",
  ".venv",
  "venv",
  "__pycache__",
  ".pytest_cache",
  ".mypy_cache",
  ".ruff_cache",
  ".tox",
  ".idea",
  ".vscode",
  ".DS_Store"
])

export const isForeign = (name: string): boolean => foreign.has(name)

export interface SourceTree {
  readonly path: string
  readonly isDirectory: boolean
  /** Changes when a file under it is written, made, moved or removed. */
  readonly fingerprint: string
  /** When the newest file was written. */
  readonly newestUnixMs: number
  /** Whether there is something in it that must not become part of the function. */
  readonly hasForeign: boolean
  /** Names at the top. */
  readonly names: ReadonlySet<string>
}

/** A file that was written is another file: its change time is not the writer's to set. */
const identity = (stats: BigIntStats): string =>
  [stats.ino, stats.mode, stats.size, stats.mtimeNs, stats.ctimeNs].join(":")

/**
 * Looks at every file but those of a `node_modules` beside a `package.json`, where npm's own record of what it installed
 * stands for all. Any other `node_modules` is written by hand, as a layer has it.
 * Rejects when there is nothing at `path`.
 */
export const read = async (path: string): Promise<SourceTree> => {
  const hash = createHash("sha256")
  let newestUnixMs = 0
  let hasForeign = false

  const note = (name: string, stats: BigIntStats) => {
    hash.update(`${JSON.stringify(name)}${identity(stats)}\n`)
    newestUnixMs = Math.max(newestUnixMs, Number(stats.mtimeNs / 1_000_000n))
  }
  const visit = async (directory: string, prefix: string): Promise<void> => {
    const names = await readdir(directory)
    for (const name of names.toSorted()) {
      if (isForeign(name)) {
        hasForeign = true
        continue
      }
      const inner = join(directory, name)
      const stats = await lstat(inner, { bigint: true })
      if (!stats.isDirectory()) note(`${prefix}${name}`, stats)
      else if (name === "node_modules" && names.includes("package.json")) await visitModules(inner, `${prefix}${name}/`)
      else await visit(inner, `${prefix}${name}/`)
    }
  }
  const visitModules = async (directory: string, prefix: string): Promise<void> => {
    for (const name of ["", ".package-lock.json"]) {
      const stats = await lstat(join(directory, name), { bigint: true }).catch(() => undefined)
      if (stats !== undefined) hash.update(`${JSON.stringify(prefix + name)}${identity(stats)}\n`)
    }
  }

  const top = await stat(path, { bigint: true })
  if (top.isDirectory()) await visit(path, "")
  else note(basename(path), top)
  return {
    path,
    isDirectory: top.isDirectory(),
    fingerprint: hash.digest("hex"),
    newestUnixMs,
    hasForeign,
    names: new Set(top.isDirectory() ? await readdir(path) : [])
  }
}

/** When a directory itself was last written to. */
export const writtenAtUnixMs = async (path: string): Promise<number> => (await stat(path)).mtimeMs

/** One word for several: the key of what is made of them. */
export const digestOf = (...parts: ReadonlyArray<string>): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex")
