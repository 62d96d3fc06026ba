/**
 * The AWS SDK, which AWS has preinstalled: fetched once into a directory of its own when code uses it and brings none. Workers
 * find that directory last on their search path.
 */
import { Effect, Option, Schema, Semaphore } from "effect"
import { existsSync } from "node:fs"
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises"
import { extname, join } from "node:path"
import * as NodeDependencies from "./NodeDependencies.ts"
import * as PythonDependencies from "./PythonDependencies.ts"
import { isForeign } from "./SourceTree.ts"
import * as Tool from "./Tool.ts"
import { attempt } from "./Unbuildable.ts"

/** Versions to ask for: the newest of each line that is no older than the one this was tried with. */
const nodeVersions = { v2: "^2.1692.0", v3: "^3.1162.0" }
const pythonPackages = ["boto3"]

/** Without a network these give up in seconds, where the tools' own patience is more than a minute. */
const npmFlags = ["--ignore-scripts", "--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=30000"]
const pipFlags = ["--retries=1", "--timeout=15"]

/** Files longer than this are bundles or data, and are not searched. */
const longestSearched = 16 * 1024 ** 2

const nodeImport = /["'](aws-sdk|@aws-sdk\/[a-z0-9-]+)(?:\/[^"']*)?["']/g
const pythonImport = /^\s*(?:import|from)\s+(?:boto3|botocore)\b/m

/** The code of a directory, without its installed packages. */
async function* codeIn(directory: string, extensions: ReadonlySet<string>): AsyncGenerator<string> {
  for (const item of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, item.name)
    if (item.isDirectory() && item.name !== "node_modules" && !isForeign(item.name)) yield* codeIn(path, extensions)
    if (!item.isFile() || !extensions.has(extname(item.name))) continue
    const text = await readFile(path, "utf8")
    if (text.length <= longestSearched) yield text
  }
}

const nodeExtensions = new Set([".js", ".mjs", ".cjs", ".ts", ".mts"])
const pythonExtensions = new Set([".py"])

/** SDK packages that the code names and neither it nor its layers bring. */
const missingPackages = async (directories: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  const named = new Set<string>()
  for (const directory of directories) {
    for await (const text of codeIn(directory, nodeExtensions)) {
      for (const [, name] of text.matchAll(nodeImport)) if (name !== undefined) named.add(name)
    }
  }
  const places = directories.flatMap((directory) => [
    join(directory, "node_modules"),
    join(directory, "nodejs/node_modules")
  ])
  return [...named].filter((name) => !places.some((place) => existsSync(join(place, name))))
}

const usesBoto = async (directories: ReadonlyArray<string>): Promise<boolean> => {
  const places = directories.flatMap((directory) => [join(directory, "boto3"), join(directory, "python/boto3")])
  if (places.some(existsSync)) return false
  for (const directory of directories) {
    for await (const text of codeIn(directory, pythonExtensions)) if (pythonImport.test(text)) return true
  }
  return false
}

const Installed = Schema.fromJsonString(Schema.Struct({ packages: Schema.Record(Schema.String, Schema.Unknown) }))

/** Packages that npm says it has installed: it says so last, so that an install that was cut short does not count. */
const installedIn = async (root: string): Promise<ReadonlySet<string>> => {
  const text = await readFile(join(root, "node_modules/.package-lock.json"), "utf8").catch(() => "{}")
  const { packages } = Option.getOrElse(Schema.decodeOption(Installed)(text), () => ({ packages: {} }))
  return new Set(Object.keys(packages).map((place) => place.replace(/^node_modules\//, "")))
}

const versionOf = (name: string) => (name === "aws-sdk" ? nodeVersions.v2 : nodeVersions.v3)

/** `root` gets `node/node_modules` and `python`. Both methods answer with a warning when what is missing cannot be fetched. */
export const make = (root: string, environment: Tool.ToolRun["environment"]) => {
  // One npm at a time in one directory.
  const lock = Semaphore.makeUnsafe(1)
  const nodeRoot = join(root, "node")
  const pythonRoot = join(root, "python")
  /** Not asked for again until the next start: without a network every change of code would wait for it. */
  const refused = new Set<string>()
  const refuse = (names: ReadonlyArray<string>) => (failure: { readonly message: string }) =>
    Effect.sync(() => {
      for (const name of names) refused.add(name)
      return [`the code uses ${names.join(", ")}, not installed, and it could not be fetched: ${failure.message}`]
    })

  const forNode = Effect.fnUntraced(function* (directories: ReadonlyArray<string>, progress: (step: string) => void) {
    const named = yield* attempt(() => missingPackages(directories))
    const present = yield* attempt(() => installedIn(nodeRoot))
    const missing = named.filter((name) => !present.has(name) && !refused.has(name))
    if (missing.length === 0) return []
    progress(`npm install ${missing.join(" ")} (preinstalled on AWS)`)
    yield* attempt(() => mkdir(nodeRoot, { recursive: true }))
    const wanted = missing.map((name) => `${name}@${versionOf(name)}`)
    return yield* NodeDependencies.runNpm(nodeRoot, environment, "install", ...npmFlags, ...wanted).pipe(
      Effect.as<ReadonlyArray<string>>([]),
      Effect.catch(refuse(missing))
    )
  })

  const forPython = Effect.fnUntraced(function* (
    directories: ReadonlyArray<string>,
    python: PythonDependencies.Python,
    progress: (step: string) => void
  ) {
    if (existsSync(pythonRoot) || refused.has("boto3") || !(yield* attempt(() => usesBoto(directories)))) return []
    const run = (...args: ReadonlyArray<string>) =>
      Tool.run({ command: python.path, args, directory: root, environment })
    yield* attempt(() => mkdir(root, { recursive: true }))
    const hasOwn = yield* run("-c", "import boto3").pipe(
      Effect.as(true),
      Effect.orElseSucceed(() => false)
    )
    if (hasOwn) return []
    progress("pip install boto3 (preinstalled on AWS)")
    // Elsewhere first: the directory is there only when all of it is.
    const made = join(root, `.making-${process.pid}`)
    return yield* run(
      "-m",
      "pip",
      "install",
      `--target=${made}`,
      ...PythonDependencies.quietly,
      ...pipFlags,
      ...pythonPackages
    ).pipe(
      Effect.andThen(attempt(() => rename(made, pythonRoot))),
      Effect.as<ReadonlyArray<string>>([]),
      Effect.catch(refuse(pythonPackages)),
      Effect.ensuring(Effect.promise(() => rm(made, { recursive: true, force: true })))
    )
  })

  return {
    forNode: (directories: ReadonlyArray<string>, progress: (step: string) => void) =>
      lock.withPermits(1)(forNode(directories, progress)),
    forPython: (
      directories: ReadonlyArray<string>,
      python: PythonDependencies.Python,
      progress: (step: string) => void
    ) => lock.withPermits(1)(forPython(directories, python, progress))
  }
}
export type SdkFallback = ReturnType<typeof make>
