/**
 * Files of an image, read where its layers lie on this machine: nothing has to be mounted for that where layers are directories.
 * A disk is mounted, and is the only layer then.
 */
import { Effect } from "effect"
import { constants, type Stats } from "node:fs"
import { lstat, open, readdir, readlink } from "node:fs/promises"
import { dirname, join } from "node:path"
import type { Mount } from "./MountedDisk.ts"

const greatestFileBytes = 1_048_576

/** The topmost first. `undefined`: they are no directories. */
export const layersOf = ([mount]: ReadonlyArray<Mount>): ReadonlyArray<string> | undefined => {
  if (mount?.type === "bind") return [mount.source]
  if (mount?.type !== "overlay") return undefined
  const lower = mount.options.find((option) => option.startsWith("lowerdir="))
  return lower?.slice("lowerdir=".length).split(":")
}

/** Empty where this layer hides the file from those below; fails where it says nothing of it. */
const inLayer = async (layer: string, path: string): Promise<string> => {
  const place = join(layer, path)
  const [directory, found] = [await lstat(dirname(place)), await lstat(place)]
  // A layer takes a file away by a device in its place. A link would lead to the files of this machine.
  if (!directory.isDirectory() || !found.isFile() || found.size > greatestFileBytes) return ""
  const file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    return await file.readFile("latin1")
  } finally {
    await file.close()
  }
}

/** By its path without a slash at the beginning. Empty where there is none, and where it is no plain file of a sensible size. */
export const read = (layers: ReadonlyArray<string>, path: string): Effect.Effect<string> =>
  layers.reduceRight<Effect.Effect<string>>(
    (below, layer) =>
      Effect.catch(
        Effect.tryPromise(() => inLayer(layer, path)),
        () => below
      ),
    Effect.succeed("")
  )

const executable = 0o111

/** Where a link leads to is looked up by whoever runs it; one that leads to no program fails then. */
const isProgram = (found: Stats): boolean =>
  found.isSymbolicLink() || (found.isFile() && (found.mode & executable) !== 0)

/** `undefined`: this layer says nothing of it. */
const statOf = (path: string): Promise<Stats | undefined> => lstat(path).catch(() => undefined)

const isDirectory = async (path: string): Promise<boolean> => (await statOf(path))?.isDirectory() === true

/** As many as the kernel follows. */
const longestChain = 40

/**
 * Where a path leads whose parts may be links, for a process whose root this is: none leads out of it. `undefined` where they lead
 * in a circle.
 */
const follow = async (root: string, path: string): Promise<string | undefined> => {
  let rest = path.split("/")
  let reached: ReadonlyArray<string> = []
  let links = 0
  for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
    if (part === "" || part === ".") continue
    if (part === "..") {
      reached = reached.slice(0, -1)
      continue
    }
    const place = join(root, ...reached, part)
    if ((await statOf(place))?.isSymbolicLink() !== true) {
      reached = [...reached, part]
      continue
    }
    links += 1
    if (links > longestChain) return undefined
    const target = await readlink(place)
    if (target.startsWith("/")) reached = []
    rest = [...target.split("/"), ...rest]
  }
  return join(root, ...reached)
}

/**
 * Whether what is in a directory, which is two names deep, is more than its topmost layer says: others may add to it, or have it
 * anew without what is below, of which they leave a mark that only the kernel reads. A link may lead to any of them.
 */
export const isMixed = (layers: ReadonlyArray<string>, path: string): Effect.Effect<boolean> =>
  Effect.promise(async () => {
    if (layers.length < 2) return false
    let isAbove = false
    for (const layer of layers) {
      const [parent, found] = [await statOf(join(layer, dirname(path))), await statOf(join(layer, path))]
      if (parent?.isSymbolicLink() === true || found?.isSymbolicLink() === true) return true
      if (isAbove && found?.isDirectory() === true) return true
      isAbove ||= parent?.isDirectory() === true
    }
    return false
  })

/**
 * Sorted names of the programs in a directory, as the topmost layer has it that has anything to say of it. Where there is one layer
 * only, it may be a link. Empty where there is no such directory.
 */
export const programsIn = (layers: ReadonlyArray<string>, path: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(async () => {
    const parents = await Promise.all(layers.map((layer) => statOf(join(layer, dirname(path)))))
    const layer = layers[parents.findIndex((found) => found !== undefined)]
    if (layer === undefined) return []
    const place = layers.length === 1 ? await follow(layer, path) : join(layer, path)
    // What is no directory, such as the device by which a layer takes one away, hides what is below.
    if (place === undefined || !(await isDirectory(dirname(place))) || !(await isDirectory(place))) return []
    const names = await readdir(place)
    const found = await Promise.all(names.map((name) => statOf(join(place, name))))
    return names.filter((_, at) => found[at] !== undefined && isProgram(found[at])).toSorted()
  })
