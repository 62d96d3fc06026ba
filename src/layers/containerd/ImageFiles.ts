/**
 * Files of an image, read where its layers lie on this machine: nothing has to be mounted for that where layers are directories.
 * A disk is mounted, and is the only layer then.
 */
import { Effect } from "effect"
import { constants, type Stats } from "node:fs"
import { lstat, open, readdir } from "node:fs/promises"
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

const isDirectory = async (...path: ReadonlyArray<string>): Promise<boolean> =>
  (await statOf(join(...path)))?.isDirectory() === true

/**
 * Whether what is in a directory, which is two names deep, is more than its topmost layer says: others may add to it, or have it
 * anew without what is below, of which they leave a mark that only the kernel reads.
 */
export const isMixed = (layers: ReadonlyArray<string>, path: string): Effect.Effect<boolean> =>
  Effect.promise(async () => {
    let isAbove = false
    for (const layer of layers) {
      if (isAbove && (await isDirectory(layer, path))) return true
      isAbove ||= await isDirectory(layer, dirname(path))
    }
    return false
  })

/**
 * Sorted names of the programs in a directory, as the topmost layer has it that has anything to say of it. Empty where there is
 * no such directory.
 */
export const programsIn = (layers: ReadonlyArray<string>, path: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(async () => {
    const parents = await Promise.all(layers.map((layer) => statOf(join(layer, dirname(path)))))
    const layer = layers[parents.findIndex((found) => found !== undefined)]
    // What is no directory, such as the device by which a layer takes one away, hides what is below; a link would lead elsewhere.
    if (layer === undefined || !(await isDirectory(layer, dirname(path))) || !(await isDirectory(layer, path)))
      return []
    const names = await readdir(join(layer, path))
    const found = await Promise.all(names.map((name) => statOf(join(layer, path, name))))
    return names.filter((_, at) => found[at] !== undefined && isProgram(found[at])).toSorted()
  })
