/** What a path of a Linux process lies on, as `/proc/self/mountinfo` tells it. @see man 5 proc_pid_mountinfo */

export interface Mount {
  /** `/var/lib/esb` */
  readonly point: string
  /** `ext4`, `overlay`, `tmpfs` */
  readonly type: string
  /** Nobody writes there, whatever may be written into the file system elsewhere. */
  readonly isReadOnly: boolean
}

/** A space, a tab, a line end and a backslash in a path are written as three octal digits. */
const unescaped = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))

/** Between the options and the type stands a dash, after fields of which there may be none. */
const mountIn = (line: string): ReadonlyArray<Mount> => {
  const [before = "", after = ""] = line.split(" - ")
  const [point, options = ""] = before.split(" ").slice(4)
  const [type] = after.split(" ")
  if (point === undefined || type === undefined) return []
  return [{ point: unescaped(point), type, isReadOnly: options.split(",").includes("ro") }]
}

const mountsIn = (mountinfo: string): ReadonlyArray<Mount> => mountinfo.split("\n").flatMap(mountIn)

const holds = ({ point }: Mount, path: string): boolean =>
  point === "/" || path === point || path.startsWith(`${point}/`)

/** The innermost mount that holds an absolute path; the last of those on one place hides the others. */
export const mountOf = (mountinfo: string, path: string): Mount | undefined =>
  mountsIn(mountinfo)
    .filter((mount) => holds(mount, path))
    .reduce<Mount | undefined>(
      (inner, mount) => (inner === undefined || mount.point.length >= inner.point.length ? mount : inner),
      undefined
    )

/** Mounts on a directory, or below it, into which nobody writes: the outermost first. */
export const readOnlyIn = (mountinfo: string, directory: string): ReadonlyArray<Mount> =>
  mountsIn(mountinfo)
    .filter((mount) => mount.isReadOnly && (mount.point === directory || mount.point.startsWith(`${directory}/`)))
    .toSorted((one, other) => one.point.length - other.point.length)
