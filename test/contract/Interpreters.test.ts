import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { delimiter, dirname, join } from "node:path"
import * as Interpreters from "#layers/process/Interpreters"
import * as ProcessWorkers from "#test/support/ProcessWorkers"

/** A program that says it is an interpreter, and counts how often it was asked. */
const install = (path: string, says: string): string => {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `#!/bin/sh\necho asked >> "${path}.asked"\n${says}\n`)
  chmodSync(path, 0o755)
  return path
}

const telling = (path: string, version: string): string => install(path, `echo "${path}"; echo ${version}`)

const timesAsked = (path: string): number => {
  try {
    return readFileSync(`${path}.asked`, "utf8").trim().split("\n").length
  } catch {
    return 0
  }
}

const machine = () => {
  const root = ProcessWorkers.temporaryDirectory()
  const directories = { first: join(root, "first"), second: join(root, "second"), home: join(root, "home") }
  const settings = {
    search: { path: [directories.first, directories.second].join(delimiter), home: directories.home, system: [] },
    strict: false,
    probeLimitMs: 500
  }
  return { ...directories, settings }
}

const python = (minor: number) => ["python3." + minor, "python", { major: 3, minor }] as const

describe("the interpreters of a machine", () => {
  it.live("are believed when they have told their version themselves, and asked once", () =>
    Effect.gen(function* () {
      const { first, second, settings } = machine()
      const liar = telling(join(first, "python3.13"), "3.12")
      const honest = telling(join(second, "python3"), "3.13")
      const interpreters = yield* Interpreters.make(settings)
      const found = yield* Effect.all([interpreters.find(...python(13)), interpreters.find(...python(13))], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(found, [
        { path: honest, version: { major: 3, minor: 13 } },
        { path: honest, version: { major: 3, minor: 13 } }
      ])
      yield* interpreters.find(...python(12))
      assert.deepStrictEqual([timesAsked(liar), timesAsked(honest)], [1, 1])
    })
  )

  it.live("are not started when another is the exact version", () =>
    Effect.gen(function* () {
      const { first, settings } = machine()
      const exact = telling(join(first, "python3.11"), "3.11")
      const other = telling(join(first, "python3.12"), "3.12")
      const { path } = yield* (yield* Interpreters.make(settings)).find(...python(11))
      assert.deepStrictEqual([path, timesAsked(other)], [exact, 0])
    })
  )

  it.live("are found behind the shims and in the keeping of version managers", () =>
    Effect.gen(function* () {
      const { first, home, settings } = machine()
      const kept = telling(join(home, ".pyenv/versions/3.10.13/bin/python"), "3.10")
      const shim = telling(join(home, ".pyenv/shims/python3.10"), "3.10")
      const real = join(home, "real/python3.9")
      install(join(first, "python3.9"), `echo "${real}"; echo 3.9`)
      const search = { ...settings.search, path: `${dirname(shim)}${delimiter}${settings.search.path}` }
      const interpreters = yield* Interpreters.make({ ...settings, search })
      assert.strictEqual((yield* interpreters.find(...python(10))).path, kept)
      assert.strictEqual(timesAsked(shim), 0)
      assert.strictEqual((yield* interpreters.find(...python(9))).path, real)
    })
  )

  it.live("are passed over when they fail, hang or talk nonsense", () =>
    Effect.gen(function* () {
      const { first, second, settings } = machine()
      install(join(first, "python3.13"), "exit 1")
      install(join(first, "python3.12"), "exec sleep 60")
      install(join(first, "python3.11"), "echo hello")
      const good = telling(join(second, "python3"), "3.14")
      const { path } = yield* (yield* Interpreters.make(settings)).find(...python(13))
      assert.strictEqual(path, good)
    })
  )

  it.live("replace one another with one warning that names both", () =>
    Effect.gen(function* () {
      const { first, settings } = machine()
      const newer = telling(join(first, "python3.14"), "3.14")
      telling(join(first, "python3.11"), "3.11")
      const warnings: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => {
        if (logLevel === "Warn") warnings.push(String(message))
      })
      yield* Effect.gen(function* () {
        const interpreters = yield* Interpreters.make(settings)
        for (let turn = 0; turn < 3; turn++) {
          assert.strictEqual((yield* interpreters.find(...python(12))).path, newer)
        }
      }).pipe(Effect.provide(Logger.layer([logger])))
      assert.lengthOf(warnings, 1)
      assert.match(warnings[0] ?? "", /python3\.12 runs on Python 3\.14 .*: Python 3\.12 was not found; install it/)
    })
  )

  it.live("do not replace one another under strict rules", () =>
    Effect.gen(function* () {
      const { first, settings } = machine()
      telling(join(first, "python3.14"), "3.14")
      const interpreters = yield* Interpreters.make({ ...settings, strict: true })
      const failure = yield* Effect.flip(interpreters.find(...python(12)))
      assert.deepInclude(failure, { _tag: "RuntimeUnsupported", runtime: "python3.12" })
      assert.match(failure.message, /Python 3\.12 is not here, only Python 3\.14 .*pyenv install 3\.12/)
      assert.strictEqual((yield* interpreters.find(...python(14))).version.minor, 14)
    })
  )

  it.live("are told how to be had when there is none", () =>
    Effect.gen(function* () {
      const interpreters = yield* Interpreters.make(machine().settings)
      const failure = yield* Effect.flip(interpreters.find(...python(13)))
      assert.strictEqual(failure._tag, "RuntimeUnsupported")
      assert.match(failure.message, /no Python that can run it; install it from .*pyenv install 3\.13/)
    })
  )

  it.live("count this very Node among them", () =>
    Effect.gen(function* () {
      const { first, settings } = machine()
      const older = telling(join(first, "node"), "22.9.0")
      const interpreters = yield* Interpreters.make(settings)
      const own = Number(process.versions.node.split(".")[0])
      const find = (major: number) => interpreters.find(`nodejs${major}.x`, "node", { major, minor: 0 })
      assert.strictEqual((yield* find(own)).path, process.execPath)
      assert.strictEqual((yield* find(22)).path, older)
    })
  )
})
