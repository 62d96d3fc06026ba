/**
 * Emulators as processes, each on a loopback address of its own, as each has one in a container: AWS's where the machine has
 * it, and the stand-in everywhere.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { chmodSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { platform } from "node:process"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"
import { emulatorPort } from "#domain/ProtocolChoice"
import { type EngineName, needs, pathOf } from "./Engines.ts"
import { eventually } from "./Eventually.ts"
import * as Processes from "./Processes.ts"
import { clientsDirectory, temporaryDirectory } from "./ProcessWorkers.ts"

export type EmulatorName = "rie" | "stand-in"
export const emulatorNames: ReadonlyArray<EmulatorName> = ["rie", "stand-in"]

const runtimeApiPort = 9_001

const peers: Record<EmulatorName, ReadonlyArray<EngineName>> = { rie: ["rie"], "stand-in": [] }

/** Who listens on a port of every address takes it on each single one. */
const takenPort = (): number | undefined => {
  const tables = ["/proc/net/tcp", "/proc/net/tcp6"].filter(existsSync)
  const sockets = tables.map((table) => readFileSync(table, "utf8")).join("\n")
  return [emulatorPort, runtimeApiPort].find((port) => {
    const hexadecimal = port.toString(16).toUpperCase().padStart(4, "0")
    return new RegExp(` 0+:${hexadecimal} 0+:0000 0A `).test(sockets)
  })
}

const skipped = (skipReason: string) => ({ skip: true, meta: { skipReason } })

/** The options of tests that start emulators. Only Linux has all of 127.0.0.0/8. */
export const needsEmulator = (name: EmulatorName) => {
  if (platform !== "linux") return skipped("emulators need a loopback address each, which only Linux has")
  const port = takenPort()
  return port === undefined ? needs(...peers[name]) : skipped(`another program listens on port ${port}`)
}

/** Quoted for a shell. */
const quoted = (word: string): string => `'${word}'`

let standIn: string | undefined

/** A command that an entrypoint names as it would name AWS's own. */
const standInCommand = (): string => {
  if (standIn !== undefined) return standIn
  standIn = join(mkdtempSync(join(temporaryDirectory(), "stand-in-")), "aws-lambda-rie")
  const program = fileURLToPath(new URL("RieStandIn.ts", import.meta.url))
  writeFileSync(standIn, `#!/bin/sh\nexec ${quoted(process.execPath)} ${quoted(program)} "$@"\n`)
  chmodSync(standIn, 0o755)
  return standIn
}

const commandOf = (name: EmulatorName): string => (name === "rie" ? pathOf("rie") : standInCommand())

let addresses = 0

/** A loopback address that no other process of tests uses, as far as their ids tell. */
export const nextHost = (): string => {
  addresses += 1
  return `127.${100 + (process.pid % 100)}.${(process.pid >> 7) % 250}.${addresses}`
}

/** What an image with an emulator starts for a function that runs on Node. */
export interface Image {
  readonly host: string
  readonly entrypoint: readonly [string, ...ReadonlyArray<string>]
}

export const image = Effect.fnUntraced(function* (name: EmulatorName): Effect.fn.Return<Image> {
  const clients = yield* Effect.promise(() => clientsDirectory())
  const host = nextHost()
  return {
    host,
    entrypoint: [
      commandOf(name),
      "--runtime-interface-emulator-address",
      `${host}:${emulatorPort}`,
      "--runtime-api-address",
      `${host}:${runtimeApiPort}`,
      process.execPath,
      join(clients, "node.mjs")
    ]
  }
})

/** A started container, as far as tests look into one: its processes name its directory in their environment. */
export interface EmulatorProcess {
  readonly directory: string
  readonly child: ChildProcess
}

export const spawnImage = (
  { entrypoint: [program, ...words] }: Image,
  environment: Readonly<Record<string, string>>
): EmulatorProcess => {
  const directory = temporaryDirectory()
  const env = { PATH: process.env["PATH"], ...environment, ESB_TEST_DIRECTORY: directory }
  const child = spawn(program, words, { cwd: directory, env, stdio: "ignore" })
  return { directory, child }
}

export const signal = ({ directory }: EmulatorProcess, name: NodeJS.Signals): void => {
  for (const { pid } of Processes.of(directory)) {
    try {
      process.kill(pid, name)
    } catch {
      // It ended while it was looked for.
    }
  }
}

export const hasEnded = ({ child }: EmulatorProcess): boolean => child.exitCode !== null || child.signalCode !== null

/**
 * Gone, with the runtime that it started and everything else. A process on its way out tells no environment any more, and
 * to look at all of a machine takes long: it is done again only when those that were found have ended.
 */
export const end = (emulator: EmulatorProcess): Effect.Effect<void> =>
  Effect.gen(function* () {
    const found = Processes.of(emulator.directory).map(({ pid }) => pid)
    for (const pid of found) Processes.kill(pid)
    yield* eventually(
      `every process of ${emulator.directory} ends`,
      Effect.sync(() => !found.some(Processes.isAlive) && hasEnded(emulator)),
      (isGone) => isGone
    )
    return found.length === 0
  }).pipe(Effect.repeat({ until: (isGone) => isGone }), Effect.asVoid)

export interface Emulator extends EmulatorProcess, Pick<Image, "entrypoint"> {
  readonly address: { readonly host: string; readonly port: number }
}

/** An emulator with a function of `test/samples/emulated`; not yet asked whether it listens. */
export const start = Effect.fnUntraced(function* (
  name: EmulatorName,
  handler: string,
  environment: Readonly<Record<string, string>> = {}
): Effect.fn.Return<Emulator, never, Scope.Scope> {
  const started = yield* image(name)
  const emulator = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawnImage(started, {
        _HANDLER: handler,
        LAMBDA_TASK_ROOT: fileURLToPath(new URL("../samples/emulated", import.meta.url)),
        AWS_LAMBDA_FUNCTION_NAME: "sample",
        AWS_LAMBDA_FUNCTION_TIMEOUT: "10",
        AWS_REGION: "us-east-1",
        ...environment
      })
    ),
    end
  )
  const { entrypoint, host } = started
  return { ...emulator, entrypoint, address: { host, port: emulatorPort } }
})
