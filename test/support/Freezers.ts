/** Whether processes stand still, by the kernel's own word. */
import { readFileSync, writeFileSync } from "node:fs"

const text = (path: string): string => readFileSync(path, "utf8")

/** The control groups in which a process is, of either version. */
const groupsOf = (pid: number) => {
  const groups = text(`/proc/${pid}/cgroup`)
  return {
    first: /^\d+:(?:[^:]*,)?freezer(?:,[^:]*)?:(.*)$/m.exec(groups)?.[1],
    second: /^0::(.*)$/m.exec(groups)?.[1] ?? ""
  }
}

export const isFrozen = (pid: number): boolean => {
  const { first, second } = groupsOf(pid)
  if (first !== undefined) return text(`/sys/fs/cgroup/freezer${first}/freezer.state`).trim() === "FROZEN"
  return /^frozen 1$/m.test(text(`/sys/fs/cgroup${second}/cgroup.events`))
}

/** A process that stands still by the first version does not even hear that it is killed. */
export const thaw = (pid: number): void => {
  const { first = "/" } = groupsOf(pid)
  if (first !== "/") writeFileSync(`/sys/fs/cgroup/freezer${first}/freezer.state`, "THAWED")
}
