/** Node packages that a function asks for, installed by npm. */
import { Effect, Schema } from "effect"
import { existsSync } from "node:fs"
import { copyFile, readFile, writeFile } from "node:fs/promises"
import { dirname, isAbsolute, join, resolve } from "node:path"
import type { BuildDirectory } from "./BuildDirectory.ts"
import * as SourceTree from "./SourceTree.ts"
import * as Tool from "./Tool.ts"
import { attempt, Unbuildable } from "./Unbuildable.ts"

const Dependencies = Schema.Record(Schema.String, Schema.String)

const Manifest = Schema.fromJsonString(
  Schema.Struct({
    type: Schema.optionalKey(Schema.String),
    dependencies: Schema.optionalKey(Dependencies),
    optionalDependencies: Schema.optionalKey(Dependencies)
  })
)
export type Manifest = typeof Manifest.Type

const Lock = Schema.fromJsonString(
  Schema.Struct({
    packages: Schema.Record(Schema.String, Schema.Struct({ version: Schema.optionalKey(Schema.String) }))
  })
)

const Installed = Schema.fromJsonString(Schema.Struct({ version: Schema.optionalKey(Schema.String) }))

/** Files beside package.json that change what npm installs. */
const companions = ["package-lock.json", "npm-shrinkwrap.json", ".npmrc"]

const decode = <A>(schema: Schema.Codec<A, string>, path: string) =>
  attempt(() => readFile(path, "utf8")).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(schema)),
    Effect.mapError((cause) => new Unbuildable({ detail: `${path} cannot be read: ${cause.message}` }))
  )

/** The package.json of a directory; an empty one when there is none. */
export const manifestOf = (directory: string): Effect.Effect<Manifest, Unbuildable> =>
  existsSync(join(directory, "package.json")) ? decode(Manifest, join(directory, "package.json")) : Effect.succeed({})

/**
 * Whether `node_modules` of the directory has what its package.json asks for: every dependency, in the version of the lock
 * file where there is one.
 */
export const isSatisfied = Effect.fnUntraced(function* (directory: string, manifest: Manifest) {
  const lockPath = join(directory, "package-lock.json")
  const lock = existsSync(lockPath) ? yield* decode(Lock, lockPath) : { packages: {} }
  for (const name of Object.keys(manifest.dependencies ?? {})) {
    const path = join(directory, "node_modules", name, "package.json")
    if (!existsSync(path)) return false
    const wanted = lock.packages[`node_modules/${name}`]?.version
    const { version } = yield* decode(Installed, path)
    if (wanted !== undefined && version !== wanted) return false
  }
  return true
})

/** npm beside the running Node, else the one on the PATH. */
const npm = (): string => {
  const beside = join(dirname(process.execPath), "npm")
  return existsSync(beside) ? beside : "npm"
}

/** Runs npm in a directory, quietly and without asking. */
export const runNpm = (directory: string, environment: Tool.ToolRun["environment"], ...args: ReadonlyArray<string>) =>
  Tool.run({
    command: npm(),
    args: [...args, "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"],
    directory,
    // An esb that npm started hands npm's own settings down; they are those of another project.
    environment: Object.fromEntries(Object.entries(environment).filter(([name]) => !/^npm_/i.test(name)))
  })

const isLocal = (spec: string) => /^(file:|link:|\.{1,2}\/)/.test(spec)
const localPath = (spec: string) => spec.replace(/^(file:|link:)/, "")

/** Dependencies that are directories of this machine, by name. */
const localDependencies = (directory: string, manifest: Manifest): ReadonlyMap<string, string> =>
  new Map(
    Object.entries(manifest.dependencies ?? {})
      .filter(([, spec]) => isLocal(spec))
      .map(([name, spec]) => [name, resolve(directory, localPath(spec))])
  )

/**
 * A directory whose `node_modules` has what the package.json of `source` asks for. The same manifest and lock file are
 * installed once.
 */
export const install = Effect.fnUntraced(function* (options: {
  readonly source: string
  readonly manifest: Manifest
  readonly builds: BuildDirectory
  readonly environment: Tool.ToolRun["environment"]
  readonly progress: (step: string) => void
}) {
  const { source, manifest, builds, environment, progress } = options
  const files = ["package.json", ...companions].filter((name) => existsSync(join(source, name)))
  const contents = yield* attempt(() => Promise.all(files.map((name) => readFile(join(source, name), "utf8"))))
  const local = localDependencies(source, manifest)
  const trees = yield* attempt(() => Promise.all([...local.values()].map(SourceTree.read)))
  const key = SourceTree.digestOf(
    "npm",
    process.version,
    process.arch,
    ...files,
    ...contents,
    ...trees.map(({ fingerprint }) => fingerprint)
  )

  const path = yield* builds.make(key, (directory) =>
    Effect.gen(function* () {
      const isLocked = files.some((name) => name.includes("lock") || name.includes("shrinkwrap")) && local.size === 0
      const wanted = local.size === 0 ? files : ["package.json", ".npmrc"].filter((name) => files.includes(name))
      yield* attempt(() => Promise.all(wanted.map((name) => copyFile(join(source, name), join(directory, name)))))
      if (local.size > 0) {
        // Paths that were relative to the source; and a copy of what they name, because links would lead out of the artifact.
        const absolute = Object.fromEntries([...local].map(([name, target]) => [name, `file:${target}`]))
        const dependencies = { ...manifest.dependencies, ...absolute }
        yield* attempt(() => writeFile(join(directory, "package.json"), JSON.stringify({ ...manifest, dependencies })))
      }
      progress(`npm ${isLocked ? "ci" : "install"} in ${source}`)
      yield* isLocked
        ? runNpm(directory, environment, "ci")
        : runNpm(directory, environment, "install", "--no-package-lock", "--install-links")
    })
  )
  return { path, inputs: [...local.values()].filter(isAbsolute) }
})
