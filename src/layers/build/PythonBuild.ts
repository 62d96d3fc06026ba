/** The code of a Python function, or of a Python layer, made ready to run: its packages installed beside it. */
import { Effect } from "effect"
import { join } from "node:path"
import { copyTree, linkTree } from "./BuildDirectory.ts"
import * as PythonDependencies from "./PythonDependencies.ts"
import * as SourceTree from "./SourceTree.ts"
import { attempt, type Unbuildable } from "./Unbuildable.ts"
import { type Piece, requirePython, type Workshop } from "./Workshop.ts"

const requirements = "requirements.txt"

/** The packages that a directory's requirements.txt asks for; nothing when it asks for none. */
const installAsked = Effect.fnUntraced(function* (
  workshop: Workshop,
  tree: SourceTree.SourceTree,
  runtime: string,
  progress: (step: string) => void
) {
  if (!tree.names.has(requirements)) return undefined
  const requirementsPath = join(tree.path, requirements)
  const asked = yield* attempt(() => PythonDependencies.read(requirementsPath))
  if (asked.length === 0) return undefined
  const python = yield* requirePython(workshop, runtime, `${requirementsPath} asks for packages`)
  const { builds, environment } = workshop
  return yield* PythonDependencies.install({ requirementsPath, python, builds, environment, progress })
})

/** `into` is where in the result the code goes: a layer has it under `python`. */
export const build = Effect.fnUntraced(function* (
  workshop: Workshop,
  tree: SourceTree.SourceTree,
  runtime: string,
  into: string,
  progress: (step: string) => void
): Effect.fn.Return<Piece, Unbuildable> {
  const packages = yield* installAsked(workshop, tree, runtime, progress)
  const inputs = [tree.path]
  const key = SourceTree.digestOf("python", tree.path, tree.fingerprint, into, packages ?? "")
  if (packages === undefined && !tree.hasForeign && into === "") return { directory: tree.path, key, inputs }
  const directory = yield* workshop.builds.make(key, (made) =>
    attempt(async () => {
      await copyTree(tree.path, join(made, into))
      // The function's own modules win over packages of the same name.
      if (packages !== undefined) await linkTree(packages, join(made, into))
    })
  )
  return { directory, key, inputs }
})
