/** Whether the kernel counts swap. Where it does not, a runtime that is given a limit of it makes no container. */
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"

/** Of control groups of the first version. */
const firstVersion = "memory/memory.memsw.limit_in_bytes"
/** Of the second: the file of every hierarchy, that of a group whose memory is counted, and that of one whose swap is, too. */
const secondVersion = { hierarchy: "cgroup.controllers", memory: "memory.current", swap: "memory.swap.max" }

/** Kernels of Debian 11 and Ubuntu 20.04 do not, unless they are started with `swapaccount=1`. */
export const isCounted = (root = "/sys/fs/cgroup"): boolean => {
  if (existsSync(join(root, firstVersion))) return true
  if (!existsSync(join(root, secondVersion.hierarchy))) return false
  const entries = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  // The root of a machine has neither file; what a container sees as one is a group as all others.
  const counted = [root, ...entries.map(({ name }) => join(root, name))].find((group) =>
    existsSync(join(group, secondVersion.memory))
  )
  // Where nobody has been given memory to count yet there is no telling, and kernels of today count both.
  return counted === undefined || existsSync(join(counted, secondVersion.swap))
}
