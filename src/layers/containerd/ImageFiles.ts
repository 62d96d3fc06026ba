/**
 * Files of an image, read where its layers lie on this machine: nothing has to be mounted for that. Only of snapshotters whose
 * layers are directories; of those whose layers are disks nothing is known.
 */
import { Effect } from "effect"
import { constants } from "node:fs"
import { lstat, open, readdir } from "node:fs/promises"
import { dirname, join } from "node:path"

/** As containerd says that a snapshot is to be mounted. */
interface Mount {
  readonly type: string
  readonly source: string
  readonly options: ReadonlyArray<string>
}

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

/** Whether any layer puts a file into this directory, even one that a layer above takes away again. */
export const hasFilesIn = (layers: ReadonlyArray<string>, path: string): Effect.Effect<boolean> =>
  Effect.map(
    Effect.forEach(layers, (layer) =>
      // A layer without the directory says nothing of it.
      Effect.orElseSucceed(
        Effect.tryPromise(() => readdir(join(layer, path), { withFileTypes: true })),
        () => []
      )
    ),
    (lists) => lists.flat().some((entry) => entry.isFile() || entry.isSymbolicLink())
  )
