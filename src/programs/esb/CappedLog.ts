/** A log file that never grows beyond its limit: when full it becomes `<name>.1`, and a new one begins. */
import { closeSync, fstatSync, openSync, renameSync, writeSync } from "node:fs"

/** Bytes of one file; there are two at most. */
const largest = 5 * 1024 ** 2

export interface CappedLog {
  readonly write: (chunk: Uint8Array) => void
  readonly close: () => void
}

export const open = (path: string): CappedLog => {
  const begin = () => openSync(path, "a", 0o600)
  let file = begin()
  let size = fstatSync(file).size
  return {
    write: (chunk) => {
      if (size + chunk.length > largest) {
        closeSync(file)
        renameSync(path, `${path}.1`)
        file = begin()
        size = 0
      }
      writeSync(file, chunk)
      size += chunk.length
    },
    close: () => closeSync(file)
  }
}
