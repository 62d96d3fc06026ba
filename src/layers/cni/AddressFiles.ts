/** The files in which `host-local` keeps who has which address: one for each, called like the address. */
import { Effect } from "effect"
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"

/** Beside them lie the plugin's own. */
const isAddress = (file: string): boolean => /^\d+\.\d+\.\d+\.\d+$/.test(file)

export const read = (directory: string) =>
  Effect.tryPromise(async () => {
    const files = (await readdir(directory)).filter(isAddress)
    return Promise.all(
      files.map(async (file) => {
        const path = join(directory, file)
        const [holder = ""] = (await readFile(path, "utf8")).split(/\s/, 1)
        return { path, holder }
      })
    )
    // The directory is made with the first address; a file that goes meanwhile is another's to remove.
  }).pipe(Effect.orElseSucceed((): ReadonlyArray<{ path: string; holder: string }> => []))
