/** `functions.yml`, `routing.yml` and `resources.yml` in a home: written whole, and only when they say something new. */
import { Effect } from "effect"
import { mkdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import { parse, stringify } from "yaml"
import { attempt, replaceFile } from "./Home.ts"
import type { StackManifest } from "./StackManifest.ts"

export const pathIn = (home: string, name: keyof StackManifest): string => join(home, "config", `${name}.yml`)

const headline = "# Written by esb from a template; a change here lasts until the next deploy.\n"

/** A Gateway replaces `$NAME` by its own environment; what a template says is meant as it is written. */
const write = (value: unknown): string => headline + stringify(value, { lineWidth: 0 }).replaceAll("$", "$$$$")

const read = async (path: string): Promise<unknown> => {
  try {
    return parse((await readFile(path, "utf8")).replaceAll("$$", "$"))
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

/** Replaces what the files said. Tells what is different now. */
export const replace = Effect.fnUntraced(function* (home: string, manifest: StackManifest) {
  const names = ["functions", "routing", "resources"] as const
  return yield* attempt("The configuration cannot be written", async (): Promise<Written> => {
    await mkdir(join(home, "config"), { recursive: true, mode: 0o700 })
    const before = new Map(
      await Promise.all(names.map(async (name) => [name, await read(pathIn(home, name))] as const))
    )
    for (const name of names) {
      // Compared as the file will be read: a key without a value is no key.
      const after: unknown = parse(stringify(manifest[name]))
      // The environment of a function may hold secrets.
      if (!isDeepStrictEqual(before.get(name), after))
        await replaceFile(pathIn(home, name), write(manifest[name]), 0o600)
    }
    return {
      functions: compare(functionsIn(before.get("functions")), functionsIn(parse(stringify(manifest.functions)))),
      routes: compare(routesIn(before.get("routing")), routesIn(parse(stringify(manifest.routing))))
    }
  })
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
