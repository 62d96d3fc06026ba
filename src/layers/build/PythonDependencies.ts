/** Python packages that a function asks for, installed by the interpreter that will run it. */
import { Effect } from "effect"
import { readFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import type { BuildDirectory } from "./BuildDirectory.ts"
import { digestOf } from "./SourceTree.ts"
import * as Tool from "./Tool.ts"
import { attempt, Unbuildable } from "./Unbuildable.ts"

/** The interpreter that runs functions of a runtime. */
export interface Python {
  readonly path: string
  /** `3.13` */
  readonly version: string
}

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
