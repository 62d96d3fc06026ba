/** `functions.yml`, `routing.yml` and `resources.yml` in a home: written whole, and only when they say something new. */
import { mkdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import { parse, stringify } from "yaml"
import * as ManifestText from "#layers/files/ManifestText"
import { attempt, replaceFile } from "./Home.ts"
import type { StackManifest } from "./StackManifest.ts"

type Name = keyof StackManifest

export const pathIn = (home: string, name: Name): string => join(home, "config", `${name}.yml`)

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

const names = ["functions", "routing", "resources"] as const

/** Replaces what the files said. Tells what is different now. */
export const replace = (home: string, manifest: StackManifest) =>
  attempt("The configuration cannot be written", async (): Promise<Written> => {
    await mkdir(join(home, "config"), { recursive: true, mode: 0o700 })
    const changed: Array<readonly [Name, unknown, unknown]> = []
    for (const name of names) {
      const before = await read(home, name)
      // Compared as the file will be read: a key without a value is no key.
      const after: unknown = parse(stringify(manifest[name]))
      changed.push([name, before, after])
      // The environment of a function may hold secrets.
      if (!isDeepStrictEqual(before, after)) await replaceFile(pathIn(home, name), write(name, after), 0o600)
    }
    const [functions, routing] = changed
    return {
      functions: compare(functionsIn(functions?.[1]), functionsIn(functions?.[2])),
      routes: compare(routesIn(routing?.[1]), routesIn(routing?.[2]))
    }
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
