/** What is mounted on this machine. */
import { readFileSync } from "node:fs"
import * as MountTable from "#domain/MountTable"

export const table = (): MountTable.MountTable => MountTable.read(readFileSync(MountTable.path, "utf8"))

/** Where something is mounted below a directory, the innermost first: so they can be taken away. */
export const below = (directory: string): ReadonlyArray<string> =>
  MountTable.within(table(), directory)
    .map(({ point }) => point)
    .filter((point) => point !== directory)
    .toReversed()
