/** Where the engine finds what this process calls by a path: what is mounted in a container lies somewhere else on the machine. */
import { posix } from "node:path"
import type { Mount } from "./OwnContainer.ts"

/** The way from one directory down to another; `undefined` where it leads up. */
const below = (directory: string, path: string): string | undefined => {
  const way = posix.relative(directory, path)
  return way === ".." || way.startsWith("../") ? undefined : way
}

/** The same place on the engine's machine; `undefined` where the container has it for itself alone. */
export const fromContainer = (mounts: ReadonlyArray<Mount>, path: string): string | undefined => {
  const around = mounts
    .filter(({ destination }) => below(destination, path) !== undefined)
    .toSorted((one, other) => other.destination.length - one.destination.length)[0]
  // What lives in memory has no source.
  if (around === undefined || around.source === "") return undefined
  return posix.join(around.source, below(around.destination, path) ?? "")
}
