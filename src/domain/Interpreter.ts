/** Which interpreter runs a function when the machine has others than the runtime names. */

/** Languages whose functions run as child processes through a runtime client of ours. */
export type Family = "node" | "python"

export interface Version {
  readonly major: number
  /** Counts for Python, whose runtimes are named by it; Node's are named by the major version alone. */
  readonly minor: number
}

/** An interpreter that was found and has told its version. */
export interface Interpreter {
  readonly path: string
  readonly version: Version
}

/** What a runtime name asks for. */
export type RuntimeNeed =
  | { readonly _tag: "Interpreter"; readonly family: Family; readonly version: Version }
  /** The function brings its own executable, `bootstrap`. */
  | { readonly _tag: "Bootstrap" }
  | { readonly _tag: "Unknown" }

export type Choice =
  | { readonly _tag: "Exact"; readonly interpreter: Interpreter }
  /** Another version than the runtime names; worth one warning. */
  | { readonly _tag: "Instead"; readonly interpreter: Interpreter }
  | { readonly _tag: "None" }

/** `nodejs24.x`, `python3.13`, `provided.al2023`. */
export const parseRuntime = (runtime: string): RuntimeNeed => {
  const node = /^nodejs(\d+)\.x$/.exec(runtime)
  if (node !== null) return { _tag: "Interpreter", family: "node", version: { major: Number(node[1]), minor: 0 } }
  const python = /^python(\d+)\.(\d+)$/.exec(runtime)
  if (python !== null) {
    const version = { major: Number(python[1]), minor: Number(python[2]) }
    return { _tag: "Interpreter", family: "python", version }
  }
  return /^provided(\.|$)/.test(runtime) ? { _tag: "Bootstrap" } : { _tag: "Unknown" }
}

/** The oldest versions that our runtime clients speak. */
const oldest: Readonly<Record<Family, Version>> = { node: { major: 18, minor: 0 }, python: { major: 3, minor: 8 } }

/** How far apart two versions are in the eyes of a family: its releases, counted in one number. */
const rank = (family: Family, { major, minor }: Version): number => (family === "node" ? major : major * 1_000 + minor)

export const isExact = (family: Family, wanted: Version, interpreter: Interpreter): boolean =>
  rank(family, interpreter.version) === rank(family, wanted)

/** Whether our runtime client of this family runs on it. */
const isUsable = (family: Family, interpreter: Interpreter): boolean =>
  rank(family, interpreter.version) >= rank(family, oldest[family])

/** Added to the distance of older versions, so that they come after every newer one. */
const afterEveryNewer = 1e9

/** The exact version, else the nearest newer, else the newest of the older ones. Among equals the first found wins. */
export const choose = (family: Family, wanted: Version, found: ReadonlyArray<Interpreter>): Choice => {
  const usable = found.filter((interpreter) => isUsable(family, interpreter))
  const exact = usable.find((interpreter) => isExact(family, wanted, interpreter))
  if (exact !== undefined) return { _tag: "Exact", interpreter: exact }
  const target = rank(family, wanted)
  const distance = (interpreter: Interpreter): number => {
    const away = rank(family, interpreter.version) - target
    return away > 0 ? away : afterEveryNewer - away
  }
  const [first, ...others] = usable
  if (first === undefined) return { _tag: "None" }
  const nearest = others.reduce((best, other) => (distance(other) < distance(best) ? other : best), first)
  return { _tag: "Instead", interpreter: nearest }
}

/** `Node 24`, `Python 3.13`. */
export const written = (family: Family, { major, minor }: Version): string =>
  family === "node" ? `Node ${major}` : `Python ${major}.${minor}`

const advice: Readonly<Record<Family, (wanted: Version) => string>> = {
  node: ({ major }) =>
    `install it from https://nodejs.org or with \`nvm install ${major}\` or \`volta install node@${major}\``,
  python: ({ major, minor }) =>
    `install it from https://www.python.org or with \`pyenv install ${major}.${minor}\` or the package python${major}.${minor} of your system`
}

/** How a person gets this version. */
export const howToInstall = (family: Family, wanted: Version): string => advice[family](wanted)
