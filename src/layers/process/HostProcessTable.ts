/** The processes of this host: Linux tells by `/proc`; every other system is asked through `ps`. */
import * as LinuxProcessTable from "./LinuxProcessTable.ts"
import type { ProcessTable } from "./ProcessTable.ts"
import * as PsProcessTable from "./PsProcessTable.ts"

export const make = (): ProcessTable =>
  process.platform === "linux" ? LinuxProcessTable.make() : PsProcessTable.make()
