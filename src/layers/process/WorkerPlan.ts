/** What a worker is going to be, decided before anything is started: its code, its settings, and what runs it. */
import { Effect, Result } from "effect"
import { constants } from "node:fs"
import { access, readdir } from "node:fs/promises"
import { basename, join } from "node:path"
import { type ArtifactNotFound, RuntimeUnavailable, RuntimeUnsupported } from "#domain/Failure"
import { type Interpreter, parseRuntime, type RuntimeNeed } from "#domain/Interpreter"
import type { WorkerSpec } from "#domain/Worker"
import * as WorkerSettings from "#domain/WorkerSettings"
import type { Artifact, ArtifactStore } from "#services/ArtifactStore"
import type { Interpreters } from "./Interpreters.ts"

/** What runs the function: an interpreter with our client, or the function's own `bootstrap`. */
export type Engine =
  | {
      readonly _tag: "Interpreter"
      readonly need: Extract<RuntimeNeed, { readonly _tag: "Interpreter" }>
      readonly interpreter: Interpreter
    }
  | { readonly _tag: "Bootstrap"; readonly path: string }

export interface WorkerPlan {
  readonly spec: WorkerSpec
  readonly settings: WorkerSettings.WorkerSettings
  readonly artifact: Artifact
  readonly engine: Engine
  /** External extensions of its layers: programs that run beside it. */
  readonly extensions: ReadonlyArray<{ readonly name: string; readonly path: string }>
}

const artifactPrefix = "artifact:"

const isExecutable = (path: string): Effect.Effect<boolean> =>
  Effect.promise(() =>
    access(path, constants.X_OK).then(
      () => true,
      () => false
    )
  )

/** The function's own first, as on AWS. When there is none the start fails as it does there, with exit status 127. */
const bootstrapOf = Effect.fnUntraced(function* ({ optDirectory, taskDirectory }: Artifact) {
  const own = join(taskDirectory, "bootstrap")
  if (optDirectory === undefined || (yield* isExecutable(own))) return own
  const layers = join(optDirectory, "bootstrap")
  return (yield* isExecutable(layers)) ? layers : own
})

const extensionsOf = Effect.fnUntraced(function* ({ optDirectory }: Artifact) {
  if (optDirectory === undefined) return []
  const directory = join(optDirectory, "extensions")
  const entries = yield* Effect.promise(() => readdir(directory, { withFileTypes: true }).catch(() => []))
  const paths = entries.filter((entry) => !entry.isDirectory()).map((entry) => join(directory, entry.name))
  const programs = yield* Effect.filter(paths, isExecutable)
  return programs.toSorted().map((path) => ({ name: basename(path), path }))
})

const elsewhere = "run it in docker mode, with the base image of its runtime"

export const make = Effect.fnUntraced(function* (
  spec: WorkerSpec,
  artifacts: ArtifactStore["Service"],
  interpreters: Interpreters
): Effect.fn.Return<WorkerPlan, RuntimeUnavailable | RuntimeUnsupported | ArtifactNotFound> {
  const { functionName } = spec
  if (!spec.image.startsWith(artifactPrefix)) {
    const detail = `container images do not run as child processes; ${elsewhere}`
    return yield* new RuntimeUnsupported({ runtime: spec.image, detail })
  }
  const settings = WorkerSettings.fromEnvironment(spec.environment)
  if (Result.isFailure(settings)) return yield* new RuntimeUnavailable({ functionName, detail: settings.failure })
  const artifact = yield* artifacts.find(spec.image)
  const extensions = yield* extensionsOf(artifact)
  const { runtime = "" } = settings.success
  const need = parseRuntime(runtime)
  const made = { spec, settings: settings.success, artifact, extensions }
  switch (need._tag) {
    case "Bootstrap":
      return { ...made, engine: { _tag: "Bootstrap", path: yield* bootstrapOf(artifact) } }
    case "Interpreter": {
      const interpreter = yield* interpreters.find(runtime, need.family, need.version)
      return { ...made, engine: { _tag: "Interpreter", need, interpreter } }
    }
    case "Unknown": {
      const detail = `child processes run nodejs, python and provided runtimes; ${elsewhere}`
      return yield* new RuntimeUnsupported({ runtime: runtime === "" ? "(none)" : runtime, detail })
    }
  }
})
