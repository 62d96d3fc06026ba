/** Every containerd of the tests with everything by which it makes disks. */
import * as BlockFiles from "./BlockFiles.ts"
import { everyVersion } from "./Containerd.ts"
import type { EngineName } from "./Engines.ts"
import * as ThinPool from "./ThinPool.ts"

/** With what else a suite on them needs. */
export const everyKeeper = (...others: ReadonlyArray<EngineName>) => [
  ...everyVersion(...others)
    .filter(({ keepsDisks }) => keepsDisks)
    .map((version) => ({ ...version, kept: "in files", make: BlockFiles.make })),
  ...everyVersion("thin-pool", ...others).map((version) => ({ ...version, kept: "in a pool", make: ThinPool.make }))
]
