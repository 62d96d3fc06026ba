/** `functions.yml`, `routing.yml` and `resources.yml` in a home: written whole, and only when they say something new. */
import { Effect } from "effect"
import { existsSync } from "node:fs"
import { mkdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import { parse, stringify } from "yaml"
import * as ManifestText from "#layers/files/ManifestText"
import { attempt, replaceFile } from "./Home.ts"
import type { StackManifest } from "./StackManifest.ts"

type Name = keyof StackManifest

export const pathIn = (home: string, name: Name): string => join(home, "config", `${name}.yml`)

export const names = ["functions", "routing", "resources"] as const

const headline = "# Written by esb from a template; a change here lasts until the next deploy.\n"

/** In `functions.yml` a Gateway replaces `$NAME` by its own environment; what a template says is meant as it is written. */
const escapes: Readonly<Record<Name, boolean>> = { functions: true, routing: false, resources: false }

const write = (name: Name, value: unknown): string => {
  const text = stringify(value, { lineWidth: 0 })
  return headline + (escapes[name] ? text.replaceAll("$", "$$$$") : text)
}

const read = async (home: string, name: Name): Promise<unknown> => {
  try {
    const text = await readFile(pathIn(home, name), "utf8")
    return parse(escapes[name] ? text.replaceAll("$$", "$") : text)
  } catch {
    // None yet, or one that somebody broke: either way there is nothing to compare with, and it is replaced.
    return {}
  }
}

/** What one deploy makes of another: names, sorted. */
export interface Changes {
  readonly added: ReadonlyArray<string>
  readonly changed: ReadonlyArray<string>
  readonly removed: ReadonlyArray<string>
}

type Entries = ReadonlyMap<string, unknown>

const compare = (before: Entries, after: Entries): Changes => ({
  added: [...after.keys()].filter((name) => !before.has(name)).toSorted(),
  changed: [...after.keys()]
    .filter((name) => before.has(name) && !isDeepStrictEqual(before.get(name), after.get(name)))
    .toSorted(),
  removed: [...before.keys()].filter((name) => !after.has(name)).toSorted()
})

const member = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Object.entries(value).find(([key]) => key === name)?.[1] : undefined

const functionsIn = (file: unknown): Entries => new Map(Object.entries(member(file, "functions") ?? {}))

const routesIn = (file: unknown): Entries => {
  const routes = member(file, "routes")
  return new Map(
    (Array.isArray(routes) ? routes : []).map((route: unknown) => [
      `${String(member(route, "method"))} ${String(member(route, "path"))}`,
      route
    ])
  )
}

export interface Written {
  readonly functions: Changes
  readonly routes: Changes
}

/** What the file of this name says. */
export const textOf = (name: Name, manifest: StackManifest): string => write(name, asRead(manifest[name]))

/** As the file will be read: a key without a value is no key. */
const asRead = (value: unknown): unknown => parse(stringify(value))

/** Replaces `resources.yml` alone, for whoever provides what it asks for before anything uses it. */
export const replaceResources = (home: string, manifest: StackManifest) =>
  attempt("The configuration cannot be written", () => replaceOne(home, "resources", manifest))

const replaceOne = async (home: string, name: Name, manifest: StackManifest) => {
  const before = await read(home, name)
  const after = asRead(manifest[name])
  // The environment of a function may hold secrets.
  if (!isDeepStrictEqual(before, after)) await replaceFile(pathIn(home, name), textOf(name, manifest), 0o600)
  return { before, after }
}

/** Replaces what the files said. Tells what is different now. */
export const replace = (home: string, manifest: StackManifest) =>
  attempt("The configuration cannot be written", async (): Promise<Written> => {
    await mkdir(join(home, "config"), { recursive: true, mode: 0o700 })
    await replaceOne(home, "resources", manifest)
    const functions = await replaceOne(home, "functions", manifest)
    const routing = await replaceOne(home, "routing", manifest)
    return {
      functions: compare(functionsIn(functions.before), functionsIn(functions.after)),
      routes: compare(routesIn(routing.before), routesIn(routing.after))
    }
  })

const nothing: StackManifest = {
  functions: { functions: {} },
  routing: { routes: [] },
  resources: { resources: { dynamodb: [], s3: [] } }
}

/** A Gateway that starts before the first deploy finds that there is nothing. */
export const begin = Effect.fnUntraced(function* (home: string) {
  if (!existsSync(pathIn(home, "functions"))) yield* replace(home, nothing)
})

/** Names what the files say now, as a Gateway does that goes by them. */
export const revision = (home: string) =>
  attempt("The configuration cannot be read", async () => {
    const [functions, routing] = await Promise.all(
      (["functions", "routing"] as const).map((name) => readFile(pathIn(home, name), "utf8"))
    )
    return ManifestText.revisionOf({ functions, routing })
  })

/** One line for each thing that is different. */
export const told = ({ functions, routes }: Written): ReadonlyArray<string> => [
  ...functions.added.map((name) => `added    ${name}`),
  ...functions.changed.map((name) => `changed  ${name}`),
  ...functions.removed.map((name) => `removed  ${name}`),
  ...routes.added.map((route) => `added    ${route}`),
  ...routes.changed.map((route) => `changed  ${route}`),
  ...routes.removed.map((route) => `removed  ${route}`)
]
