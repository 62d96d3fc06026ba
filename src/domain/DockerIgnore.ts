/**
 * What a `.dockerignore` keeps out of a build.
 * @see https://docs.docker.com/build/concepts/context/#dockerignore-files
 */

interface Rule {
  /** Of the whole path, from the directory of the file. */
  readonly pattern: RegExp
  /** It begins with `!`, and lets in again what an earlier one has kept out. */
  readonly isException: boolean
}

export interface DockerIgnore {
  /** Whether a path, such as `src/app.js`, is kept out; the last rule for it, or for a directory above it, decides. */
  readonly ignores: (path: string) => boolean
  /** Whether something in a directory that is kept out may be let in. */
  readonly hasExceptions: boolean
}

/** Without empty steps, `.` and `..`, as far as there is something above. */
const clean = (path: string): string => {
  const steps: Array<string> = []
  for (const step of path.split("/")) {
    if (step === "..") steps.pop()
    else if (step !== "" && step !== ".") steps.push(step)
  }
  return steps.join("/")
}

/** `**` is any number of steps, `*` and `?` stay in one step, a backslash takes the meaning from what follows it. */
const token = /\*\*\/|\*\*|\*|\?|\[[^\]]+\]|\\.|[^]/g

const translated = (part: string): string => {
  if (part === "**/") return "(?:.*/)?"
  if (part === "**") return ".*"
  if (part === "*") return "[^/]*"
  if (part === "?") return "[^/]"
  if (part.startsWith("[") && part.length > 2) return part
  const character = part.startsWith("\\") && part.length === 2 ? part.slice(1) : part
  return character.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")
}

/** `undefined` of a range that is none, such as `[b-a]`, which Docker refuses and which matches nothing here. */
const compile = (pattern: string): RegExp | undefined => {
  try {
    return new RegExp(`^${(pattern.match(token) ?? []).map(translated).join("")}$`, "s")
  } catch {
    return undefined
  }
}

const ruleOf = (line: string): ReadonlyArray<Rule> => {
  const trimmed = line.trim()
  if (line.startsWith("#") || trimmed === "") return []
  const isException = trimmed.startsWith("!")
  const pattern = compile(clean(isException ? trimmed.slice(1).trim() : trimmed))
  return pattern === undefined ? [] : [{ pattern, isException }]
}

/** The path and every directory above it. */
const withParents = (path: string): ReadonlyArray<string> =>
  path.split("/").map((_, index, steps) => steps.slice(0, index + 1).join("/"))

export const parse = (text: string): DockerIgnore => {
  const rules = text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .flatMap(ruleOf)
  return {
    hasExceptions: rules.some(({ isException }) => isException),
    ignores: (path) => {
      const candidates = withParents(path)
      const last = rules.findLast(({ pattern }) => candidates.some((each) => pattern.test(each)))
      return last !== undefined && !last.isException
    }
  }
}
