/** A small checkout of its own, with this one's tools and configuration, in which a test may break what it likes. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const repository = fileURLToPath(new URL("../..", import.meta.url))

const configuration = [
  ".gitignore",
  ".oxfmtrc.json",
  ".oxlintrc.json",
  "knip.json",
  "package-lock.json",
  "tsconfig.json"
]

/** As much of package.json as the sources below use. */
const manifest = () => {
  const { type, imports, dependencies } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"))
  return JSON.stringify({ name: "esb", type, imports, dependencies: { effect: dependencies.effect } }, undefined, 2)
}

/** One module in each kind of room, with nothing to complain about. */
const sources = {
  "src/domain/Greeting.ts": "export const greeting = (name: string) => `Good day, ${name}`\n",
  "src/services/Greeter.ts": [
    'import { Context, type Effect } from "effect"',
    "",
    "/** Greets. */",
    "export class Greeter extends Context.Service<",
    "  Greeter,",
    "  {",
    "    readonly greet: (name: string) => Effect.Effect<string>",
    "  }",
    '>()("esb/services/Greeter") {}',
    ""
  ].join("\n"),
  "src/layers/memory/MemoryGreeter.ts": [
    'import { Effect, Layer } from "effect"',
    'import { greeting } from "#domain/Greeting"',
    'import { Greeter } from "#services/Greeter"',
    "",
    "export const layer = Layer.succeed(Greeter, { greet: (name) => Effect.succeed(greeting(name)) })",
    ""
  ].join("\n"),
  "src/programs/esb/main.ts": [
    'import { Console, Effect } from "effect"',
    'import * as MemoryGreeter from "#layers/memory/MemoryGreeter"',
    'import { Greeter } from "#services/Greeter"',
    "",
    "const main = Effect.gen(function* () {",
    "  const greeter = yield* Greeter",
    '  yield* Console.log(yield* greeter.greet("you"))',
    "})",
    "",
    "Effect.runFork(main.pipe(Effect.provide(MemoryGreeter.layer)))",
    ""
  ].join("\n")
}

export interface Checkout {
  readonly root: string
  /** Writes files, by their path inside the checkout. */
  readonly plant: (files: Readonly<Record<string, string>>) => void
  /** Runs one of the scripts of this repository on the checkout. */
  readonly run: (script: string, ...args: ReadonlyArray<string>) => { readonly code: number; readonly said: string }
}

/** Runs a script of the checkout at `root` to its end. */
export const script = (root: string, name: string, ...args: ReadonlyArray<string>) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "scripts", name), ...args], {
    encoding: "utf8"
  })
  return { code: status ?? -1, said: stdout + stderr }
}

/** Writes files below a directory, by their path in it. */
export const planter = (root: string) => (files: Readonly<Record<string, string>>) => {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
}

const make = (): Checkout => {
  const root = mkdtempSync(join(tmpdir(), "esb-checkout-"))
  for (const file of configuration) cpSync(join(repository, file), join(root, file))
  symlinkSync(join(repository, "node_modules"), join(root, "node_modules"))
  writeFileSync(join(root, "package.json"), `${manifest()}\n`)
  const plant = planter(root)
  const run: Checkout["run"] = (name, ...args) => script(repository, name, ...args, "--root", root)
  return { root, plant, run }
}

/** A checkout without a single source. */
export const empty = Effect.acquireRelease(Effect.sync(make), ({ root }) =>
  Effect.sync(() => rmSync(root, { recursive: true, force: true }))
)

/** A checkout that passes `npm run check`. */
export const clean = Effect.tap(empty, (checkout) => Effect.sync(() => checkout.plant(sources)))

/** The step `only` of `npm run check` fails on `files` and says each of `words`. */
export const refuses = (only: string, files: Readonly<Record<string, string>>, ...words: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const checkout = yield* clean
    checkout.plant(files)
    const { code, said } = checkout.run("check.mjs", "--only", only)
    assert.strictEqual(code, 1, `the breach went unseen:\n${said}`)
    for (const word of words) assert.include(said, word)
  })
