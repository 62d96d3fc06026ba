/** A shim whose containers are virtual machines, under the name of the one that runs them in Firecracker. */
import { mkdtempSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { pathOf } from "./Engines.ts"
import * as Guest from "./microvm/Guest.ts"
import { temporaryDirectory } from "./ProcessWorkers.ts"

const shim = fileURLToPath(new URL("microvm/Shim.ts", import.meta.url))

export const runtime = "aws.firecracker"

/** The directory of the shim, for a containerd's PATH. */
export const shims = (): string => {
  const place = mkdtempSync(join(temporaryDirectory(), "microvm-"))
  Guest.prepare(pathOf("microvm"), place)
  const command = [process.execPath, "--disable-warning=ExperimentalWarning", shim, place].map((word) => `'${word}'`)
  const path = join(place, "containerd-shim-aws-firecracker")
  writeFileSync(path, `#!/bin/sh\nexec ${command.join(" ")} "$@"\n`, { mode: 0o755 })
  return place
}
