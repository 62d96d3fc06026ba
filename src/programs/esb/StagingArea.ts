/**
 * What a deploy is about to apply, whole, before anything of it is applied: `functions.yml`, `routing.yml` and `resources.yml` in
 * the directory `staging` of a home. It stays, so that what was deployed last, or built for later, can be looked at and copied.
 */
import { mkdir, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as ConfigFiles from "./ConfigFiles.ts"
import { attempt } from "./Home.ts"
import type { StackManifest } from "./StackManifest.ts"

/** Replaces what was there. Answers the directory. */
export const write = (home: string, manifest: StackManifest) => {
  const directory = join(home, "staging")
  return attempt(`${directory} cannot be written`, async () => {
    const fresh = `${directory}.${process.pid}`
    await rm(fresh, { recursive: true, force: true })
    await mkdir(fresh, { recursive: true, mode: 0o700 })
    for (const name of ConfigFiles.names) {
      await writeFile(join(fresh, `${name}.yml`), ConfigFiles.textOf(name, manifest), { mode: 0o600 })
    }
    await rm(directory, { recursive: true, force: true })
    await rename(fresh, directory)
    return directory
  })
}
