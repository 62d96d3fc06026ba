/** Functions written in TypeScript: one file that runs, and its source map. */
import { Effect, Schema } from "effect"
import { existsSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import * as BundleProperties from "./BundleProperties.ts"
import { Unbuildable } from "./Unbuildable.ts"

const extensions = [".ts", ".mts", ".cts", ".tsx"]
const plainExtensions = [".js", ".mjs", ".cjs"]

/** The TypeScript file of a handler such as `src/app.handler`; `undefined` when there is none, or JavaScript beside it. */
export const entryOf = (source: string, handler: string): string | undefined => {
  const module = handler.replace(/\.[^./]*$/, "")
  if (plainExtensions.some((extension) => existsSync(join(source, module + extension)))) return undefined
  const extension = extensions.find((each) => existsSync(join(source, module + each)))
  return extension === undefined ? undefined : module + extension
}

/** `[".js=.mjs"]` as `{ ".js": ".mjs" }`. */
const pairs = (words: ReadonlyArray<string> = []): Record<string, string> =>
  Object.fromEntries(words.map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)]))

/** CommonJS packages call `require`, which an ES module does not have. */
const requireBanner =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);'

const isModule = (entry: string, type: string | undefined, format: string | undefined) =>
  format === undefined ? entry.endsWith(".mts") || (type === "module" && !entry.endsWith(".cts")) : format === "esm"

export interface BundleRequest {
  readonly source: string
  readonly handler: string
  /** Found by {@link entryOf}; `undefined` when only `BuildProperties` name the entry points. */
  readonly entry: string | undefined
  readonly properties: Readonly<Record<string, unknown>>
  /** `type` of the nearest package.json. */
  readonly moduleType: string | undefined
  /** `node_modules` to look into besides those of the source. */
  readonly modules: ReadonlyArray<string>
  readonly target: string
}

/** SDK packages that are not installed are left for the runtime to find, as on AWS. */
const missingSdk = (source: string, modules: ReadonlyArray<string>) => ({
  name: "aws-sdk-of-the-runtime",
  setup: (build: import("esbuild").PluginBuild) => {
    build.onResolve({ filter: /^(@aws-sdk\/[^/]+|aws-sdk)(\/|$)/ }, ({ path, resolveDir }) => {
      const name = path.startsWith("@") ? path.split("/").slice(0, 2).join("/") : "aws-sdk"
      for (let at = resolveDir === "" ? source : resolveDir; ; at = dirname(at)) {
        if (existsSync(join(at, "node_modules", name))) return undefined
        if (dirname(at) === at) break
      }
      return modules.some((place) => existsSync(join(place, name))) ? undefined : { path, external: true }
    })
  }
})

export interface Bundle {
  /** What was made, by path. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** Every file that went in, absolute. */
  readonly inputs: ReadonlyArray<string>
}

const loadEsbuild = Effect.tryPromise({
  try: () => import("esbuild"),
  catch: () => new Unbuildable({ detail: "esbuild is not installed beside esb: run npm install where esb is" })
})

/** Fails with `file:line:column` and what is wrong there, one line for each complaint of esbuild. */
export const bundle = Effect.fnUntraced(function* (request: BundleRequest) {
  const { entry, handler, modules } = request
  const source = resolve(request.source)
  const properties = yield* BundleProperties.decode(request.properties)
  const entries = properties.EntryPoints ?? (entry === undefined ? [] : [entry])
  if (entries.length === 0) {
    return yield* new Unbuildable({ detail: `no TypeScript file for the handler ${handler} in ${source}` })
  }
  const { build } = yield* loadEsbuild
  const asModule = isModule(entries[0] ?? "", request.moduleType, properties.Format)
  const sourcemap = properties.Sourcemap ?? "linked"

  const bundleOf = (directory: string, entryPoints: ReadonlyArray<string>) =>
    build({
      absWorkingDir: source,
      entryPoints: [...entryPoints],
      outbase: source,
      // Nothing is written: only the paths in the source map are relative to it.
      outdir: source,
      sourceRoot: `${directory}/`,
      write: false,
      bundle: true,
      platform: "node",
      format: asModule ? "esm" : "cjs",
      target: properties.Target ?? request.target,
      minify: properties.Minify ?? false,
      sourcemap: sourcemap === true ? "linked" : sourcemap,
      sourcesContent: properties.SourcesContent ?? false,
      keepNames: properties.KeepNames ?? true,
      external: [...(properties.External ?? [])],
      nodePaths: [...modules],
      plugins: [missingSdk(source, modules)],
      metafile: true,
      logLevel: "silent",
      mainFields: properties.MainFields === undefined ? ["module", "main"] : [...properties.MainFields],
      loader: pairs(properties.Loader) as Record<string, "text">,
      define: { ...properties.Define },
      banner: { ...(asModule ? { js: requireBanner } : {}), ...properties.Banner },
      footer: { ...properties.Footer },
      outExtension: { ...(asModule ? { ".js": ".mjs" } : {}), ...pairs(properties.OutExtension) }
    })
  // esbuild writes one root into all source maps, and paths relative to each of them: one directory at a time fits both.
  const directories = Map.groupBy(
    entries.map((each) => join(source, each)),
    (path) => dirname(path)
  )
  const results = yield* Effect.tryPromise({
    try: () => Promise.all([...directories].map(([directory, paths]) => bundleOf(directory, paths))),
    catch: (cause) => new Unbuildable({ detail: messageOf(cause, source) })
  })
  const made: Bundle = {
    files: new Map(
      results.flatMap(({ outputFiles }) => outputFiles.map(({ path, contents }) => [relative(source, path), contents]))
    ),
    inputs: [
      ...new Set(results.flatMap(({ metafile }) => Object.keys(metafile.inputs).map((path) => resolve(source, path))))
    ]
  }
  return made
})

const Rejection = Schema.Struct({
  errors: Schema.Array(
    Schema.Struct({
      text: Schema.String,
      location: Schema.NullOr(Schema.Struct({ file: Schema.String, line: Schema.Int, column: Schema.Int }))
    })
  )
})

/** esbuild's complaints, one a line, each with its place. */
const messageOf = (cause: unknown, source: string): string => {
  if (!Schema.is(Rejection)(cause)) return String(cause)
  return cause.errors
    .map(({ text, location }) =>
      location === null ? text : `${join(source, location.file)}:${location.line}:${location.column + 1} ${text}`
    )
    .join("\n")
}
