/** What a path of a Linux process lies on, as `/proc/self/mountinfo` tells it. @see man 5 proc_pid_mountinfo */

export interface Mount {
  /** `/var/lib/esb` */
  readonly point: string
  /** `ext4`, `overlay`, `tmpfs` */
  readonly type: string
}

/** A space, a tab, a line end and a backslash in a path are written as three octal digits. */
const unescaped = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))

/** Between the options and the type stands a dash, after fields of which there may be none. */
const mountIn = (line: string): ReadonlyArray<Mount> => {
  const [before = "", after = ""] = line.split(" - ")
  const [point, type] = [before.split(" ")[4], after.split(" ")[0]]
  return point === undefined || type === undefined ? [] : [{ point: unescaped(point), type }]
}

const holds = ({ point }: Mount, path: string): boolean =>
  point === "/" || path === point || path.startsWith(`${point}/`)

/** The innermost mount that holds an absolute path; the last of those on one place hides the others. */
export const mountOf = (mountinfo: string, path: string): Mount | undefined =>
  mountinfo
    .split("\n")
    .flatMap(mountIn)
    .filter((mount) => holds(mount, path))
    .reduce<Mount | undefined>(
      (inner, mount) => (inner === undefined || mount.point.length >= inner.point.length ? mount : inner),
      undefined
    )
