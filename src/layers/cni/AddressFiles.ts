/** The files in which `host-local` keeps who has which address: one for each, called like the address. */
import { Effect } from "effect"
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"

export interface AddressFile {
  readonly path: string
  /** Name of the network that has the address. */
  readonly holder: string
}

/** Beside them lie the plugin's own. */
const isAddress = (file: string): boolean => /^\d+\.\d+\.\d+\.\d+$/.test(file)

/** None: it has gone meanwhile, and is another's to remove. */
const readOne = async (path: string): Promise<ReadonlyArray<AddressFile>> => {
  try {
    const [holder = ""] = (await readFile(path, "utf8")).split(/\s/, 1)
    return [{ path, holder }]
  } catch {
    return []
  }
}

export const read = (directory: string): Effect.Effect<ReadonlyArray<AddressFile>> =>
  Effect.tryPromise(async () => {
    const files = (await readdir(directory)).filter(isAddress)
    return (await Promise.all(files.map((file) => readOne(join(directory, file))))).flat()
    // The directory is made with the first address.
  }).pipe(Effect.orElseSucceed(() => []))
