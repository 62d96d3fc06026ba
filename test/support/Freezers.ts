/** Whether processes stand still, by the kernel's own word. */
import { readFileSync } from "node:fs"

const text = (path: string): string => readFileSync(path, "utf8")

/** Of the control group in which a process is, of whichever version. */
export const isFrozen = (pid: number): boolean => {
  const groups = text(`/proc/${pid}/cgroup`)
  const first = /^\d+:(?:[^:]*,)?freezer(?:,[^:]*)?:(.*)$/m.exec(groups)?.[1]
  if (first !== undefined) return text(`/sys/fs/cgroup/freezer${first}/freezer.state`).trim() === "FROZEN"
  const [, second = ""] = /^0::(.*)$/m.exec(groups) ?? []
  return /^frozen 1$/m.test(text(`/sys/fs/cgroup${second}/cgroup.events`))
}
