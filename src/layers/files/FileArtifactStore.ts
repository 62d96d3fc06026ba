/**
 * Artifacts as directories, `<root>/<sha256>/{task,opt}`. An artifact is made in a directory of its own and renamed into
 * place, so that one with a digest for a name is whole, whoever was killed when. Files are read-only; directories are not,
 * so that the store can be removed by hand.
 */
import { Effect, Layer } from "effect"
import { randomUUID } from "node:crypto"
import {
  chmod,
  constants,
  copyFile,
  lstat,
  mkdir,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  writeFile
} from "node:fs/promises"
import { dirname, join } from "node:path"
import { ArtifactNotFound, StorageUnavailable } from "#domain/Failure"
import { type Artifact, ArtifactStore, type ArtifactSources } from "#services/ArtifactStore"
import * as FileTree from "./FileTree.ts"

const scheme = "artifact:sha256:"
const digestPattern = /^[0-9a-f]{64}$/

/** A directory of the store that is being made or removed; the pid tells whether somebody still does. */
const temporaryPattern = /^\.(\d+)-/
const temporaryName = () => `.${process.pid}-${randomUUID()}`

const attempt = <A>(detail: string, work: () => Promise<A>): Effect.Effect<A, StorageUnavailable> =>
  Effect.tryPromise({
    try: work,
    catch: (cause) =>
      new StorageUnavailable({ detail: `${detail}: ${cause instanceof Error ? cause.message : String(cause)}`, cause })
  })

const isThere = (path: string) =>
  stat(path).then(
    () => true,
    () => false
  )

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // A process of another user is alive, too.
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

const treeOf = async ({ taskDirectory, layerDirectories }: ArtifactSources): Promise<FileTree.FileTree> => {
  const task = await FileTree.read(taskDirectory)
  const layers: Array<FileTree.FileTree> = []
  for (const directory of layerDirectories) layers.push(await FileTree.read(directory))
  return new Map([
    ...FileTree.under("task", task),
    ...(layers.length > 0 ? FileTree.under("opt", FileTree.overlay(layers)) : [])
  ])
}

/**
 * Node asks the nearest package.json above a file which kind of module it is. On AWS there is none above `/var/task`; here
 * there may be one above the state directory, and it is not the function's.
 */
const boundary = "{}\n"

const copyTree = async (tree: FileTree.FileTree, target: string, hasLayers: boolean) => {
  await mkdir(join(target, "task"), { recursive: true })
  await writeFile(join(target, "package.json"), boundary)
  if (hasLayers) await mkdir(join(target, "opt"))
  for (const directory of new Set([...tree.keys()].map(dirname)))
    await mkdir(join(target, directory), { recursive: true })
  await FileTree.forEachFile(tree, async ([path, entry]) => {
    const to = join(target, path)
    switch (entry._tag) {
      case "File":
        // Shares the blocks where the file system can; copies otherwise.
        await copyFile(entry.source, to, constants.COPYFILE_FICLONE)
        return chmod(to, entry.isExecutable ? 0o555 : 0o444)
      case "Link":
        return symlink(entry.target, to)
      case "Directory":
        await mkdir(to, { recursive: true })
    }
  })
}

/** Whether an artifact holds what it should: a power cut can leave files empty whose names were already written. */
const isWhole = async (tree: FileTree.FileTree, at: string): Promise<boolean> => {
  if (!(await isThere(at))) return false
  try {
    await FileTree.forEachFile(tree, async ([path, entry]) => {
      const found = await lstat(join(at, path))
      if (entry._tag === "File" && found.size !== entry.size) throw new Error(path)
    })
    return true
  } catch {
    return false
  }
}

const remove = async (root: string, name: string) => {
  // Out of sight first: nobody finds half an artifact.
  const aside = join(root, temporaryName())
  await rename(join(root, name), aside)
  await rm(aside, { recursive: true, force: true })
}

/** Moves a finished copy to its name. Another `put` of the same content may have been first: then that one stays. */
const settle = async (root: string, made: string, digest: string) => {
  try {
    await rename(made, join(root, digest))
  } catch (error) {
    if (!(await isThere(join(root, digest)))) throw error
  }
}

const put = async (root: string, sources: ArtifactSources): Promise<string> => {
  await mkdir(root, { recursive: true })
  const tree = await treeOf(sources)
  const expected = await FileTree.digest(tree)
  if (await isWhole(tree, join(root, expected))) return expected
  if (await isThere(join(root, expected))) await remove(root, expected)

  const made = join(root, temporaryName())
  try {
    await copyTree(tree, made, sources.layerDirectories.length > 0)
    // The sources may be edited meanwhile: what counts is what was copied.
    const digest = await FileTree.digest(tree, (path) => join(made, path))
    await settle(root, made, digest)
    return digest
  } finally {
    await rm(made, { recursive: true, force: true })
  }
}

const keepOnly = async (root: string, images: ReadonlySet<string>): Promise<number> => {
  const names = (await isThere(root)) ? await readdir(root) : []
  const outdated = names.filter((name) => digestPattern.test(name) && !images.has(`${scheme}${name}`))
  for (const name of outdated) await remove(root, name)
  const abandoned = names.filter((name) => {
    const pid = temporaryPattern.exec(name)?.[1]
    return pid !== undefined && !isAlive(Number(pid))
  })
  for (const name of abandoned) await rm(join(root, name), { recursive: true, force: true })
  return outdated.length
}

/** A store in this directory, which is made when it is first needed. */
export const layer = (root: string): Layer.Layer<ArtifactStore> => {
  const artifact = async (digest: string): Promise<Artifact> => ({
    image: `${scheme}${digest}`,
    taskDirectory: join(root, digest, "task"),
    optDirectory: (await isThere(join(root, digest, "opt"))) ? join(root, digest, "opt") : undefined
  })

  return Layer.succeed(ArtifactStore, {
    put: Effect.fn("FileArtifactStore.put")((sources: ArtifactSources) =>
      attempt(`code under ${sources.taskDirectory} could not be kept`, async () => artifact(await put(root, sources)))
    ),
    find: Effect.fn("FileArtifactStore.find")(function* (image: string) {
      const digest = image.startsWith(scheme) ? image.slice(scheme.length) : ""
      const isKept = digestPattern.test(digest) && (yield* Effect.promise(() => isThere(join(root, digest, "task"))))
      if (!isKept) return yield* new ArtifactNotFound({ image })
      return yield* Effect.promise(() => artifact(digest))
    }),
    keepOnly: Effect.fn("FileArtifactStore.keepOnly")((images: ReadonlySet<string>) =>
      attempt(`artifacts under ${root} could not be removed`, () => keepOnly(root, images))
    )
  })
}
