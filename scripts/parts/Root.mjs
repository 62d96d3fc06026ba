import { dirname, resolve } from "node:path"
import { fileURLToPath } from "node:url"

/** The root of this checkout, whatever directory a script is started from. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..")
