/** What is mounted, as Linux tells each process of its own: one line for each mount. @see man 5 proc_pid_mountinfo */

/** Who reads it reads by his own means: what a machine without this file is to him is his to decide. */
export const path = "/proc/self/mountinfo"

export interface Mount {
  /** What of the file system is seen there: `/` is all of it. */
  readonly root: string
  /** `/var/lib/esb` */
  readonly point: string
  /** What holds at this place, whatever holds for the file system elsewhere: `ro`, `nosuid`. */
  readonly options: ReadonlyArray<string>
  /** `ext4`, `overlay`, `tmpfs` */
  readonly type: string
  /** What holds for the file system wherever it is mounted: `rw`, or the controllers of a control group. */
  readonly superOptions: ReadonlyArray<string>
}

/** In the order in which they were mounted. */
export type MountTable = ReadonlyArray<Mount>

/** A space, a tab, a line end and a backslash in a path are written as three octal digits. */
const unescaped = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))

/** The first of the fields that there may be none of, or several, up to a dash. */
const firstOptional = 6

const mountIn = (line: string): MountTable => {
  const fields = line.split(" ")
  const dash = fields.indexOf("-", firstOptional)
  if (dash === -1) return []
  const [, , , root = "", point = "", options = ""] = fields
  const [type = "", , superOptions = ""] = fields.slice(dash + 1)
  return [
    {
      root: unescaped(root),
      point: unescaped(point),
      options: options.split(","),
      type,
      superOptions: superOptions.split(",")
    }
  ]
}

/** What is no line of such a table is passed over. */
export const read = (mountinfo: string): MountTable => mountinfo.split("\n").flatMap(mountIn)

const isIn = (path: string, directory: string): boolean =>
  directory === "/" || path === directory || path.startsWith(`${directory}/`)

/** The innermost mount that holds an absolute path; the last of those on one place hides the others. */
export const holding = (mounts: MountTable, path: string): Mount | undefined =>
  mounts
    .filter(({ point }) => isIn(path, point))
    .reduce<Mount | undefined>(
      (inner, mount) => (inner === undefined || mount.point.length >= inner.point.length ? mount : inner),
      undefined
    )

/** Mounts on a directory, or below it: the outermost first. */
export const within = (mounts: MountTable, directory: string): MountTable =>
  mounts.filter(({ point }) => isIn(point, directory)).toSorted((one, other) => one.point.length - other.point.length)
