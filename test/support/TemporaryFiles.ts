/** Every temporary directory of a test run lies in one, which goes with the run: what a killed test left behind included. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export const setup = (): (() => void) => {
  const directory = mkdtempSync(join(tmpdir(), "esb-tests-"))
  process.env["TMPDIR"] = directory
  return () => rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
}
