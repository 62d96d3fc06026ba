/** The interpreters that packages are installed with: those that the process runtime will run functions with. */
import { Effect } from "effect"
import { parseRuntime } from "#domain/Interpreter"
import * as Interpreters from "#layers/process/Interpreters"
import * as ProcessSettings from "#layers/process/ProcessSettings"
import { inherited } from "./Environment.ts"

/** Finds the Python of a runtime; `undefined` when there is none. Warns of another version than the runtime's. */
export const python = Effect.map(
  Interpreters.make(ProcessSettings.defaults(inherited()["PATH"] ?? "")),
  ({ find }) =>
    (runtime: string) => {
      const need = parseRuntime(runtime)
      if (need._tag !== "Interpreter" || need.family !== "python") return Effect.undefined
      return find(runtime, need.family, need.version).pipe(
        Effect.map(({ path, version }) => ({ path, version: `${version.major}.${version.minor}` })),
        // Whoever calls the function is told what is missing; without packages to install nothing is missing yet.
        Effect.orElseSucceed(() => undefined)
      )
    }
)
