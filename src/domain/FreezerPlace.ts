/**
 * Where the kernel's own freezer of a container is, by what the kernel says of a process in it and of the mounts of this machine:
 * a file of a control group, of either version. A group that others share is no place to freeze one of them.
 */
import type { Mount, MountTable } from "./MountTable.ts"

export interface FreezerPlace {
  readonly version: 1 | 2
  readonly directory: string
}

interface Hierarchy {
  readonly version: 1 | 2
  /** What of the hierarchy is mounted, and where. */
  readonly root: string
  readonly mountPoint: string
}

const hierarchyOf = ({ point: mountPoint, root, superOptions, type }: Mount): ReadonlyArray<Hierarchy> => {
  if (type === "cgroup2") return [{ version: 2, root, mountPoint }]
  return type === "cgroup" && superOptions.includes("freezer") ? [{ version: 1, root, mountPoint }] : []
}

/** Where freezers are to be found: those of the first version first, as it has the say. */
export const hierarchies = (mounts: MountTable): ReadonlyArray<Hierarchy> =>
  mounts.flatMap(hierarchyOf).toSorted((one, other) => one.version - other.version)

/** `9:freezer:/esb/name`, `0::/esb/name`. */
const groupIn = (groups: string, version: 1 | 2): string | undefined =>
  groups
    .split("\n")
    .map((line) => /^(\d+):([^:]*):(.*)$/.exec(line))
    .find((match) => (version === 1 ? match?.[2]?.split(",").includes("freezer") : match?.[1] === "0"))?.[3]

/**
 * `groups` is the text of `/proc/<pid>/cgroup`, and `name` what the container's own group is called. `undefined` where there is
 * no group of its own: its runtime makes none, or has put the process somewhere else.
 */
export const find = (groups: string, known: ReadonlyArray<Hierarchy>, name: string): FreezerPlace | undefined => {
  for (const { mountPoint, root, version } of known) {
    const group = groupIn(groups, version)
    const below = root === "/" ? "" : root
    if (group !== undefined && group.endsWith(`/${name}`) && group.startsWith(`${below}/`)) {
      return { version, directory: `${mountPoint}${group.slice(below.length)}` }
    }
  }
  return undefined
}
