/** Python packages that a function asks for, installed by the interpreter that will run it. */
import { Effect } from "effect"
import { readFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import type { BuildDirectory } from "./BuildDirectory.ts"
import { digestOf } from "./SourceTree.ts"
import * as Tool from "./Tool.ts"
import { attempt, Unbuildable } from "./Unbuildable.ts"

export interface Python {
  /** Absolute, as the interpreter itself tells it. */
  readonly path: string
  /** `3.13` */
  readonly version: string
}

const newestMinor = 20
const oldestMinor = 8

/** Commands to try for `python3.12`: that version, the newer ones, the rest of the family. */
const candidates = (runtime: string): ReadonlyArray<string> => {
  const wanted = Number(/^python3\.(\d+)$/.exec(runtime)?.[1] ?? oldestMinor)
  const from = (first: number, last: number) =>
    Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => `python3.${first + index}`)
  return [...from(wanted, newestMinor), "python3", "python", ...from(oldestMinor, wanted - 1).toReversed()]
}

const question = "import sys; print(sys.executable); print('%d.%d' % sys.version_info[:2])"

/**
 * The interpreter that comes nearest to a runtime: the same version, else the nearest newer one, else any Python 3; `undefined`
 * when there is none. Each candidate is started, because a name on the PATH may be an empty promise (pyenv's shims).
 */
export const find = Effect.fnUntraced(function* (runtime: string, environment: Tool.ToolRun["environment"]) {
  for (const command of candidates(runtime)) {
    const told = yield* Tool.run({ command, args: ["-c", question], directory: "/", environment }).pipe(
      Effect.orElseSucceed(() => "")
    )
    const [path, version] = told.trim().split("\n")
    if (path !== undefined && version !== undefined && version.startsWith("3.")) return { path, version } as Python
  }
  return undefined
})

const lines = (text: string) =>
  text
    .split("\n")
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
    .filter((line) => line !== "")

/** The contents of a requirements file and of those it includes by `-r` and `-c`; empty when nothing is asked for. */
export const read = async (path: string): Promise<ReadonlyArray<string>> => {
  const found = lines(await readFile(path, "utf8"))
  if (found.length === 0) return []
  const included = found.flatMap((line) => /^(?:-r|-c|--requirement|--constraint)[ =]*(\S+)$/.exec(line)?.[1] ?? [])
  const inner = await Promise.all(included.map((name) => read(join(dirname(path), name))))
  return [...found, ...inner.flat()]
}

/** Flags of every install: it asks nothing and tells only what went wrong. */
export const quietly = ["--no-input", "--disable-pip-version-check", "--quiet"]

/** A directory with the packages of a requirements file. The same requirements and interpreter are installed once. */
export const install = Effect.fnUntraced(function* (options: {
  readonly requirementsPath: string
  readonly python: Python
  readonly builds: BuildDirectory
  readonly environment: Tool.ToolRun["environment"]
  readonly progress: (step: string) => void
}) {
  const { requirementsPath, python, builds, environment, progress } = options
  const asked = yield* attempt(() => read(requirementsPath))
  return yield* builds.make(digestOf("pip", python.path, python.version, ...asked), (directory) =>
    Effect.gen(function* () {
      const pip = (...args: ReadonlyArray<string>) =>
        Tool.run({
          command: python.path,
          args: ["-m", "pip", ...args],
          directory: dirname(requirementsPath),
          environment
        })
      yield* pip("--version").pipe(
        Effect.mapError(
          () =>
            new Unbuildable({
              detail:
                `${requirementsPath} asks for packages and ${python.path} has no pip: ` +
                `install it (${python.path} -m ensurepip, or your system's python3-pip)`
            })
        )
      )
      progress(`pip install -r ${requirementsPath}`)
      yield* pip(
        "install",
        `--requirement=${requirementsPath}`,
        `--target=${directory}`,
        "--no-compile",
        "--no-warn-script-location",
        ...quietly
      )
    })
  )
})
