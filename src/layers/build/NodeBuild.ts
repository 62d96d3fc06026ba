/** The code of a Node function made ready to run: its packages installed, its TypeScript bundled. */
import { Effect } from "effect"
import { mkdir, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { copyTree, linkTree } from "./BuildDirectory.ts"
import * as NodeDependencies from "./NodeDependencies.ts"
import * as SourceTree from "./SourceTree.ts"
import * as TypeScriptBundle from "./TypeScriptBundle.ts"
import { attempt, type Unbuildable } from "./Unbuildable.ts"
import type { Piece, Workshop } from "./Workshop.ts"

export interface NodeSource {
  readonly tree: SourceTree.SourceTree
  readonly handler: string
  readonly runtime: string
  /** Whether `BuildMethod` asks for esbuild whatever the handler's file is. */
  readonly mustBundle: boolean
  readonly properties: Readonly<Record<string, unknown>>
  readonly progress: (step: string) => void
}

/** The packages that a directory asks for and does not hold; nothing when it asks for none, or holds them. */
const installMissing = Effect.fnUntraced(function* (
  { builds, environment }: Workshop,
  source: string,
  progress: (step: string) => void
) {
  const manifest = yield* NodeDependencies.manifestOf(source)
  const isReady =
    Object.keys(manifest.dependencies ?? {}).length === 0 || (yield* NodeDependencies.isSatisfied(source, manifest))
  const installed = isReady
    ? undefined
    : yield* NodeDependencies.install({ source, manifest, builds, environment, progress })
  return { manifest, installed }
})

const packagesOf = new Set(["node_modules"])

/** A directory of Node code with its packages. `into` is where in the result the code goes: a layer has it under `nodejs`. */
export const withPackages = Effect.fnUntraced(function* (
  workshop: Workshop,
  tree: SourceTree.SourceTree,
  into: string,
  progress: (step: string) => void
): Effect.fn.Return<Piece, Unbuildable> {
  const { installed } = yield* installMissing(workshop, tree.path, progress)
  const inputs = [tree.path, ...(installed?.inputs ?? [])]
  const key = SourceTree.digestOf("node", tree.path, tree.fingerprint, into, installed?.path ?? "")
  if (installed === undefined && !tree.hasForeign && into === "") return { directory: tree.path, key, inputs }
  const directory = yield* workshop.builds.make(key, (made) =>
    attempt(async () => {
      await copyTree(tree.path, join(made, into), installed === undefined ? undefined : packagesOf)
      if (installed !== undefined) {
        await linkTree(join(installed.path, "node_modules"), join(made, into, "node_modules"))
      }
    })
  )
  return { directory, key, inputs }
})

/** `nodejs24.x` as esbuild says it. */
const targetOf = (runtime: string) => `node${/^nodejs(\d+)/.exec(runtime)?.[1] ?? "24"}`

const bundled = Effect.fnUntraced(function* (
  workshop: Workshop,
  source: NodeSource,
  entry: string | undefined
): Effect.fn.Return<Piece, Unbuildable> {
  const { tree, handler, properties, progress } = source
  const { manifest, installed } = yield* installMissing(workshop, tree.path, progress)
  progress(`esbuild ${entry ?? handler}`)
  const { files, inputs } = yield* TypeScriptBundle.bundle({
    source: tree.path,
    handler,
    entry,
    properties,
    moduleType: manifest.type,
    modules: installed === undefined ? [] : [join(installed.path, "node_modules")],
    target: targetOf(source.runtime)
  })
  // What went in is known only now, and files outside of the source may be among it: the key is made of what came out.
  const contents = [...files].flatMap(([path, bytes]) => [path, Buffer.from(bytes).toString("base64")])
  const key = SourceTree.digestOf("bundle", ...contents)
  const directory = yield* workshop.builds.make(key, (made) =>
    attempt(async () => {
      for (const [path, bytes] of files) {
        await mkdir(dirname(join(made, path)), { recursive: true })
        await writeFile(join(made, path), bytes)
      }
    })
  )
  const outside = inputs.filter((path) => !path.startsWith(`${tree.path}/`) && !path.includes("/node_modules/"))
  return { directory, key, inputs: [tree.path, ...outside, ...(installed?.inputs ?? [])] }
})

/** The directory as it is when nothing is missing; otherwise a build of it. */
export const build = (workshop: Workshop, source: NodeSource): Effect.Effect<Piece, Unbuildable> => {
  const entry = TypeScriptBundle.entryOf(source.tree.path, source.handler)
  return entry !== undefined || source.mustBundle
    ? bundled(workshop, source, entry)
    : withPackages(workshop, source.tree, "", source.progress)
}
