/** What every build on this machine shares: where builds lie, which tools there are. */
import { Cache, Effect } from "effect"
import { join } from "node:path"
import * as BuildDirectory from "./BuildDirectory.ts"
import * as PythonDependencies from "./PythonDependencies.ts"
import * as SdkFallback from "./SdkFallback.ts"
import type { ToolRun } from "./Tool.ts"
import { Unbuildable } from "./Unbuildable.ts"

/** Runtimes whose interpreter is remembered. */
const knownRuntimes = 32

export interface Workshop {
  readonly builds: BuildDirectory.BuildDirectory
  readonly sdk: SdkFallback.SdkFallback
  /** The environment of npm, pip and the interpreters. */
  readonly environment: ToolRun["environment"]
  /** The interpreter for a runtime; `undefined` when this machine has no Python. */
  readonly python: (runtime: string) => Effect.Effect<PythonDependencies.Python | undefined>
}

/** One thing that was built: a function's own code, or a layer. */
export interface Piece {
  readonly directory: string
  readonly key: string
  readonly inputs: ReadonlyArray<string>
}

/** `home` gets `build` and `sdk`. */
export const open = Effect.fnUntraced(function* (home: string, environment: ToolRun["environment"]) {
  const interpreters = yield* Cache.make({
    capacity: knownRuntimes,
    lookup: (runtime: string) => PythonDependencies.find(runtime, environment)
  })
  const workshop: Workshop = {
    builds: yield* BuildDirectory.open(join(home, "build")),
    sdk: SdkFallback.make(join(home, "sdk"), environment),
    environment,
    python: (runtime) => Cache.get(interpreters, runtime)
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
