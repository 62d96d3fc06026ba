/**
 * The interpreters of this machine. Candidates are looked for where people install them; each is believed only once it
 * has told its version itself, which also leads past the shims of version managers to the program behind them.
 */
import { Effect, Semaphore } from "effect"
import { execFile } from "node:child_process"
import { readdir } from "node:fs/promises"
import { createRequire } from "node:module"
import { delimiter, dirname, join } from "node:path"
import { RuntimeUnsupported } from "#domain/Failure"
import * as Interpreter from "#domain/Interpreter"
import type { ProcessSettings } from "./ProcessSettings.ts"

type Settings = Pick<ProcessSettings, "search" | "strict" | "probeLimitMs">

interface Candidate {
  readonly path: string
  /** What its place or its name says of its version; `undefined`: nothing. */
  readonly hint: string | undefined
}

const probesAtOnce = 4
const answerLimitBytes = 4_096

/** Names in a directory; of one that is not there or not ours to read, none. */
const namesIn = (directory: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(() => readdir(directory).catch(() => []))

/** `<root>/<version>/<program>` for every version that a version manager keeps. */
const versionsIn = (root: string, program: string) =>
  Effect.map(namesIn(root), (names) =>
    names.map((name): Candidate => ({ path: join(root, name, program), hint: name.replace(/^v/, "") }))
  )

/** The Node that comes as an npm package beside us, if it did. */
const packagedNode = (): ReadonlyArray<Candidate> => {
  try {
    const found = createRequire(import.meta.url).resolve(`node-${process.platform}-${process.arch}/package.json`)
    return [{ path: join(dirname(found), "bin/node"), hint: undefined }]
  } catch {
    // It is optional.
    return []
  }
}

const nodes = Effect.fnUntraced(function* ({ search: { home, path, system } }: Settings) {
  const managed = yield* Effect.all([
    versionsIn(join(home, ".nvm/versions/node"), "bin/node"),
    versionsIn(join(home, ".volta/tools/image/node"), "bin/node")
  ])
  const directories = [...path.split(delimiter), ...system]
  const plain = directories.map((directory): Candidate => ({ path: join(directory, "node"), hint: undefined }))
  const own = { path: process.execPath, hint: process.versions.node }
  return [own, ...packagedNode(), ...managed.flat(), ...plain]
})

const pythonName = /^python(3(?:\.\d+)?)$/

const pythons = Effect.fnUntraced(function* ({ search: { home, path, system } }: Settings) {
  const managed = yield* versionsIn(join(home, ".pyenv/versions"), "bin/python")
  const directories = [...path.split(delimiter).filter((directory) => !directory.endsWith("/shims")), ...system]
  const named = yield* Effect.forEach(directories, (directory) =>
    Effect.map(namesIn(directory), (names) =>
      names.flatMap((name): ReadonlyArray<Candidate> => {
        const version = pythonName.exec(name)?.[1]
        if (version === undefined) return []
        return [{ path: join(directory, name), hint: version.includes(".") ? version : undefined }]
      })
    )
  )
  return [...named.flat(), ...managed]
})

const candidatesOf = { node: nodes, python: pythons }

/** Both print the path of the program itself, a newline, and its version. */
const question = {
  node: ["-p", "process.execPath + '\\n' + process.versions.node"],
  python: ["-S", "-s", "-E", "-c", "import sys; print(sys.executable); print('%d.%d' % sys.version_info[:2])"]
}

const parse = (answer: string): Interpreter.Interpreter | undefined => {
  const [path = "", version = ""] = answer.trim().split(/\r?\n/)
  const [major, minor] = version.split(".").map(Number)
  if (path === "" || !Number.isInteger(major) || !Number.isInteger(minor)) return undefined
  return { path, version: { major: major ?? 0, minor: minor ?? 0 } }
}

/** Asks a program for its version, within a limit. One that is not there, fails or stays silent is no interpreter. */
const probe = (
  family: Interpreter.Family,
  path: string,
  { probeLimitMs, search }: Settings
): Effect.Effect<Interpreter.Interpreter | undefined> =>
  Effect.callback((resume) => {
    const options = {
      timeout: probeLimitMs,
      killSignal: "SIGKILL" as const,
      maxBuffer: answerLimitBytes,
      env: { PATH: search.path, HOME: search.home }
    }
    const child = execFile(path, question[family], options, (error, stdout) =>
      resume(Effect.succeed(error === null ? parse(stdout) : undefined))
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const sameVersion = (
  family: Interpreter.Family,
  hint: string | undefined,
  { major, minor }: Interpreter.Version
): boolean => {
  const [hintedMajor, hintedMinor] = (hint ?? "").split(".").map(Number)
  return hintedMajor === major && (family === "node" || hintedMinor === minor)
}

export interface Interpreters {
  /** The interpreter for a runtime. Looks once per runtime; from then on this costs nothing. */
  readonly find: (
    runtime: string,
    family: Interpreter.Family,
    wanted: Interpreter.Version
  ) => Effect.Effect<Interpreter.Interpreter, RuntimeUnsupported>
}

export const make = (settings: Settings): Effect.Effect<Interpreters> =>
  Effect.map(Semaphore.make(1), (oneAtATime) => {
    const chosen = new Map<string, Interpreter.Interpreter>()
    const told = new Map<string, Interpreter.Interpreter | undefined>()

    const ask = (family: Interpreter.Family, path: string) =>
      told.has(path)
        ? Effect.succeed(told.get(path))
        : Effect.tap(probe(family, path, settings), (answer) => Effect.sync(() => told.set(path, answer)))

    const askAll = (family: Interpreter.Family, candidates: ReadonlyArray<Candidate>) =>
      Effect.map(
        Effect.forEach(new Set(candidates.map(({ path }) => path)), (path) => ask(family, path), {
          concurrency: probesAtOnce
        }),
        (answers) => answers.filter((answer) => answer !== undefined)
      )

    /** Those that seem to be the version first: mostly one is, and the others need not be started. */
    const discover = Effect.fnUntraced(function* (family: Interpreter.Family, wanted: Interpreter.Version) {
      const candidates = yield* candidatesOf[family](settings)
      for (const { hint, path } of candidates) {
        if (!sameVersion(family, hint, wanted)) continue
        const answer = yield* ask(family, path)
        if (answer !== undefined && Interpreter.isExact(family, wanted, answer)) return [answer]
      }
      return yield* askAll(family, candidates)
    })

    const look = Effect.fn("Interpreters.find")(function* (
      runtime: string,
      family: Interpreter.Family,
      wanted: Interpreter.Version
    ) {
      const before = chosen.get(runtime)
      if (before !== undefined) return before
      const name = Interpreter.written(family, wanted)
      const advice = Interpreter.howToInstall(family, wanted)
      const choice = Interpreter.choose(family, wanted, yield* discover(family, wanted))
      if (choice._tag === "None") {
        const detail = `this machine has no ${family === "node" ? "Node" : "Python"} that can run it; ${advice}`
        return yield* new RuntimeUnsupported({ runtime, detail })
      }
      const { interpreter } = choice
      if (choice._tag === "Instead") {
        const other = `${Interpreter.written(family, interpreter.version)} (${interpreter.path})`
        if (settings.strict) {
          return yield* new RuntimeUnsupported({ runtime, detail: `${name} is not here, only ${other}; ${advice}` })
        }
        yield* Effect.logWarning(`${runtime} runs on ${other}: ${name} was not found; ${advice}`)
      }
      chosen.set(runtime, interpreter)
      return interpreter
    })

    return {
      find: (runtime, family, wanted) => {
        const known = chosen.get(runtime)
        return known === undefined ? oneAtATime.withPermit(look(runtime, family, wanted)) : Effect.succeed(known)
      }
    }
  })
