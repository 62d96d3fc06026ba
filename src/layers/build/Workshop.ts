/** What every build on this machine shares: where builds lie, which tools there are. */
import { Effect } from "effect"
import { join } from "node:path"
import * as BuildDirectory from "./BuildDirectory.ts"
import type * as PythonDependencies from "./PythonDependencies.ts"
import * as SdkFallback from "./SdkFallback.ts"
import type { ToolRun } from "./Tool.ts"
import { Unbuildable } from "./Unbuildable.ts"

export interface Options {
  /** The state directory: it gets `build` and `sdk`. */
  readonly home: string
  /** The environment of npm, pip and the interpreters. */
  readonly environment: ToolRun["environment"]
  /** The interpreter that will run functions of a runtime; `undefined` when this machine has none. */
  readonly python: (runtime: string) => Effect.Effect<PythonDependencies.Python | undefined>
}

export interface Workshop extends Options {
  readonly builds: BuildDirectory.BuildDirectory
  readonly sdk: SdkFallback.SdkFallback
}

/** One thing that was built: a function's own code, or a layer. */
export interface Piece {
  readonly directory: string
  readonly key: string
  readonly inputs: ReadonlyArray<string>
}

export const open = Effect.fnUntraced(function* (options: Options) {
  const workshop: Workshop = {
    ...options,
    builds: yield* BuildDirectory.open(join(options.home, "build")),
    sdk: SdkFallback.make(join(options.home, "sdk"), options.environment)
  }
  return workshop
})

/** The interpreter for a runtime, where one is needed to go on. */
export const requirePython = Effect.fnUntraced(function* (workshop: Workshop, runtime: string, why: string) {
  const python = yield* workshop.python(runtime)
  if (python === undefined) {
    return yield* new Unbuildable({
      detail: `${why} and no Python is installed: install Python 3 with pip (https://www.python.org/downloads/)`
    })
  }
  return python
})
