/** One source, whatever its kind, made ready: the code of a function or the content of a layer. */
import { Effect } from "effect"
import { copyFile, writeFile } from "node:fs/promises"
import { basename, extname, join, resolve } from "node:path"
import type { FunctionCode, StackLayer } from "#domain/Stack"
import { copyTree } from "./BuildDirectory.ts"
import * as NodeBuild from "./NodeBuild.ts"
import * as PythonBuild from "./PythonBuild.ts"
import * as SourceTree from "./SourceTree.ts"
import { attempt, Unbuildable } from "./Unbuildable.ts"
import type { Piece, Workshop } from "./Workshop.ts"
import * as ZipArchive from "./ZipArchive.ts"

export interface Order {
  readonly logicalId: string
  readonly templateDirectory: string
  readonly progress: (step: string) => void
}

const archives = new Set([".zip", ".jar"])

/** Reads what lies at a `CodeUri` or `ContentUri`. */
const look = (order: Order, property: string, uri: string) => {
  const path = resolve(order.templateDirectory, uri)
  return attempt(() => SourceTree.read(path)).pipe(
    Effect.mapError(({ detail }) => new Unbuildable({ detail: `${property} ${uri} cannot be read: ${detail}` }))
  )
}

/** What `sam build` made of this resource, when that is newer than the source. */
const builtBySam = Effect.fnUntraced(function* (order: Order, source: SourceTree.SourceTree) {
  const path = join(order.templateDirectory, ".aws-sam/build", order.logicalId)
  const built = yield* attempt(() => SourceTree.read(path)).pipe(Effect.orElseSucceed(() => undefined))
  // `sam build` keeps the times of files it copies; the directory itself is as old as the build.
  const builtAt = built === undefined ? 0 : yield* attempt(() => SourceTree.writtenAtUnixMs(path))
  if (built === undefined || !built.isDirectory || builtAt < source.newestUnixMs) return undefined
  const piece: Piece = {
    directory: path,
    key: SourceTree.digestOf("sam", path, built.fingerprint),
    inputs: [source.path, path]
  }
  return piece
})

const unpacked = (workshop: Workshop, tree: SourceTree.SourceTree) => {
  const key = SourceTree.digestOf("zip", tree.path, tree.fingerprint)
  return workshop.builds
    .make(key, (made) =>
      attempt(() => ZipArchive.extract(tree.path, made)).pipe(
        Effect.mapError(({ detail }) => new Unbuildable({ detail: `${tree.path} cannot be unpacked: ${detail}` }))
      )
    )
    .pipe(Effect.map((directory): Piece => ({ directory, key, inputs: [tree.path] })))
}

const singleFile = (workshop: Workshop, tree: SourceTree.SourceTree) => {
  const key = SourceTree.digestOf("file", tree.path, tree.fingerprint)
  return workshop.builds
    .make(key, (made) => attempt(() => copyFile(tree.path, join(made, basename(tree.path)))))
    .pipe(Effect.map((directory): Piece => ({ directory, key, inputs: [tree.path] })))
}

/** The directory itself when nothing in it is foreign to a function, else a copy without that. */
const asItIs = (workshop: Workshop, tree: SourceTree.SourceTree, into = "") => {
  const key = SourceTree.digestOf("copy", tree.path, tree.fingerprint, into)
  const inputs = [tree.path]
  return !tree.hasForeign && into === ""
    ? Effect.succeed<Piece>({ directory: tree.path, key, inputs })
    : workshop.builds
        .make(key, (made) => attempt(() => copyTree(tree.path, join(made, into))))
        .pipe(Effect.map((directory): Piece => ({ directory, key, inputs })))
}

const familyOf = (name: string) => /^(nodejs|python|esbuild)/.exec(name)?.[1]

/** A `BuildMethod` of somebody else's tool: what it made is used, and it is never started from here. */
const foreignMethod = (method: string) =>
  new Unbuildable({
    detail: `BuildMethod ${method} is not run here: run "sam build", its result is used while it is newer than the source`
  })

type Zip = Extract<FunctionCode, { readonly _tag: "Zip" }>

export const code = Effect.fnUntraced(function* (workshop: Workshop, order: Order, { codeUri, ...zip }: Zip) {
  const tree = yield* look(order, "CodeUri", codeUri)
  if (!tree.isDirectory)
    return yield* archives.has(extname(codeUri)) ? unpacked(workshop, tree) : singleFile(workshop, tree)
  const sam = yield* builtBySam(order, tree)
  if (sam !== undefined) return sam
  const { buildMethod, buildProperties: properties, handler, runtime } = zip
  switch (familyOf(buildMethod ?? runtime)) {
    case "nodejs":
    case "esbuild":
      return yield* NodeBuild.build(workshop, {
        tree,
        handler,
        runtime,
        mustBundle: buildMethod === "esbuild",
        properties,
        progress: order.progress
      })
    case "python":
      return yield* PythonBuild.build(workshop, tree, runtime, "", order.progress)
    default:
      return yield* buildMethod === undefined ? asItIs(workshop, tree) : foreignMethod(buildMethod)
  }
})

/** The name of the file that holds `InlineCode`. */
const inlineName = (runtime: string) => (familyOf(runtime) === "python" ? "index.py" : "index.js")

export const inline = (workshop: Workshop, source: string, runtime: string) => {
  const key = SourceTree.digestOf("inline", inlineName(runtime), source)
  return workshop.builds
    .make(key, (made) => attempt(() => writeFile(join(made, inlineName(runtime)), source)))
    .pipe(Effect.map((directory): Piece => ({ directory, key, inputs: [] })))
}

/** Places under `/opt` that a runtime looks into; a layer that has one is laid out already. */
const places = ["python", "nodejs", "lib", "bin", "java", "ruby", "extensions"]

/** Python modules at the top of a layer, where no interpreter looks for them. */
const isBarePython = (tree: SourceTree.SourceTree, runtime: string) =>
  familyOf(runtime) === "python" &&
  !places.some((name) => tree.names.has(name)) &&
  [...tree.names].some((name) => name.endsWith(".py"))

/** The content of a layer as it will lie under `/opt`, for a function of this runtime. */
export const layer = Effect.fnUntraced(function* (
  workshop: Workshop,
  order: Order,
  { contentUri, buildMethod }: StackLayer,
  runtime: string
) {
  const tree = yield* look(order, "ContentUri", contentUri)
  if (!tree.isDirectory) return yield* unpacked(workshop, tree)
  const sam = yield* builtBySam(order, tree)
  if (sam !== undefined) return sam
  if (buildMethod === undefined) return yield* asItIs(workshop, tree, isBarePython(tree, runtime) ? "python" : "")
  switch (familyOf(buildMethod)) {
    case "nodejs":
      return yield* NodeBuild.withPackages(workshop, tree, "nodejs", order.progress)
    case "python":
      return yield* PythonBuild.build(workshop, tree, buildMethod, "python", order.progress)
    default:
      return yield* foreignMethod(buildMethod)
  }
})
