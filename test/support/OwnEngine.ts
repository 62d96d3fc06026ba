/**
 * A Docker Engine of one test's own, which it may stop, kill and start again: everything it keeps is in a directory that goes
 * with it, its bridge has a name of its own, and the machine's packet filter is left alone, which belongs to other engines.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { Effect, type Scope } from "effect"
import { needs } from "./Engines.ts"
import { eventually } from "./Eventually.ts"
import * as FreeNetwork from "./FreeNetwork.ts"
import { commandPath } from "./ImageTree.ts"
import * as Mounts from "./Mounts.ts"
import * as Processes from "./Processes.ts"

export interface OwnEngine {
  /** As `DOCKER_HOST` says it. */
  readonly host: string
  /** What the docker client, asked about this engine, wrote on stdout. */
  readonly docker: (...args: ReadonlyArray<string>) => Effect.Effect<string>
  /** A bridge on which containers do not reach each other, with addresses that are nobody else's. One is enough for a test. */
  readonly network: (name: string) => Effect.Effect<void>
  /** Copies an image of the machine's engine. */
  readonly load: (image: string) => Effect.Effect<void>
  /** `SIGTERM`. It is gone when this returns, and its containers with it where they do not outlive it on purpose. */
  readonly stop: Effect.Effect<void>
  /** `kill -9`, of the engine alone: what it has started lives on. */
  readonly kill: Effect.Effect<void>
  /** It answers when this returns. */
  readonly start: Effect.Effect<void>
  /** Whether it takes requests; one that was asked to stop still has containers to end when it takes none any more. */
  readonly listens: Effect.Effect<boolean>
  readonly log: () => string
}

const run = promisify(execFile)

const startLimitMs = 30_000
const stopLimitMs = 30_000
const commandLimitMs = 60_000

/** Why this machine starts no engine; `undefined`: it does. */
const missing = (): string | undefined => {
  if (process.getuid?.() !== 0) return "only root may start an engine of its own"
  const lacks = ["dockerd", "ip"].filter((name) => spawnSync("/bin/sh", ["-c", `command -v ${name}`]).status !== 0)
  return lacks.length === 0 ? undefined : `no ${lacks.join(", no ")} on the PATH`
}

/** The options of a suite that starts engines; the machine's own gives the images. */
export const needed = () => {
  const reason = missing()
  const known = needs("docker")
  return "skip" in known || reason === undefined ? known : { skip: true, meta: { skipReason: `docker: ${reason}` } }
}

const ip = (...args: ReadonlyArray<string>): void => {
  const { status, stderr } = spawnSync("ip", args, { encoding: "utf8" })
  if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`)
}

/**
 * A bridge that goes with the scope. `docker0` is another engine's: one that is not told of a bridge takes it, and one with
 * `--bridge=none`, or with address pools of its own when it starts again, takes it away.
 */
const bridge = Effect.fnUntraced(function* (address: string) {
  const name = `esb${randomBytes(4).toString("hex")}`
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      ip("link", "add", name, "type", "bridge")
      ip("address", "add", address, "dev", name)
      ip("link", "set", name, "up")
    }),
    () => Effect.sync(() => ip("link", "delete", name))
  )
  return name
})

const listensAt = (path: string) =>
  Effect.callback<boolean>((resume) => {
    const socket = connect(path)
    socket.once("connect", () => {
      socket.destroy()
      resume(Effect.succeed(true))
    })
    socket.once("error", () => resume(Effect.succeed(false)))
  })

/** What runs or is mounted below a directory, ended and taken away. Nobody else knows of the directory. */
const clear = Effect.fnUntraced(function* (directory: string) {
  for (const { pid } of Processes.of(directory)) Processes.kill(pid)
  yield* Processes.allGone(directory, stopLimitMs)
  for (const point of Mounts.below(directory)) spawnSync(commandPath("umount"), ["--lazy", point])
  rmSync(directory, { recursive: true, force: true })
})

/** `flags` are further flags of `dockerd`. */
export const make = Effect.fnUntraced(function* (
  ...flags: ReadonlyArray<string>
): Effect.fn.Return<OwnEngine, never, Scope.Scope> {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "esb-engine-"))),
    clear
  )
  const addresses = yield* FreeNetwork.find
  const socketPath = join(directory, "sock")
  const host = `unix://${socketPath}`
  const logFile = join(directory, "log")
  const args = [
    `--bridge=${yield* bridge(`${addresses}.0.1/24`)}`,
    `--data-root=${join(directory, "data")}`,
    `--exec-root=${join(directory, "exec")}`,
    `--pidfile=${join(directory, "pid")}`,
    `--host=${host}`,
    "--iptables=false",
    "--ip-masq=false",
    "--ip-forward=false",
    "--userland-proxy=false",
    ...flags
  ]
  const log = (): string => readFileSync(logFile, "utf8")
  let child: ChildProcess | undefined
  let ended = Promise.resolve()

  const docker = (...asked: ReadonlyArray<string>) =>
    Effect.promise(async () => {
      const { stdout } = await run("docker", ["--host", host, ...asked], { encoding: "utf8", timeout: commandLimitMs })
      return stdout.trim()
    })

  const isThere = Effect.map(
    Effect.exit(docker("version", "--format", "{{.Server.Version}}")),
    ({ _tag }) => _tag === "Success"
  )
  const start = Effect.gen(function* () {
    if (child !== undefined) return
    const written = openSync(logFile, "a")
    const started = spawn(commandPath("dockerd"), args, { stdio: ["ignore", written, written], detached: true })
    closeSync(written)
    child = started
    ended = new Promise((resolve) => {
      started.once("exit", () => {
        child = undefined
        resolve()
      })
    })
    const look = Effect.map(isThere, (answers) => ({ answers, hasEnded: child === undefined }))
    const { hasEnded } = yield* eventually(
      "the engine answers",
      look,
      (seen) => seen.answers || seen.hasEnded,
      startLimitMs
    )
    if (hasEnded) return yield* Effect.die(new Error(`the engine has ended\n${log()}`))
  })

  const end = (signal: NodeJS.Signals) =>
    Effect.promise(async () => {
      child?.kill(signal)
      const impatience = setTimeout(() => child?.kill("SIGKILL"), stopLimitMs)
      await ended
      clearTimeout(impatience)
    })

  /** What has outlived it is found again by none but itself. */
  const takeDown = Effect.gen(function* () {
    yield* start
    const left = yield* docker("ps", "--all", "--quiet")
    if (left !== "") yield* docker("rm", "--force", "--volumes", ...left.split("\n"))
    yield* docker("network", "prune", "--force")
    yield* end("SIGTERM")
  })
  yield* Effect.acquireRelease(start, () => takeDown)

  return {
    host,
    docker,
    network: (name) => {
      const isolated = ["--opt", "com.docker.network.bridge.enable_icc=false"]
      const place = ["--subnet", `${addresses}.1.0/24`, "--gateway", `${addresses}.1.1`]
      return Effect.asVoid(docker("network", "create", ...isolated, ...place, name))
    },
    load: (image) =>
      Effect.promise(async () => {
        const command = 'docker save "$1" | docker --host "$2" load'
        await run("/bin/sh", ["-c", command, "sh", image, host], { timeout: commandLimitMs })
      }),
    stop: end("SIGTERM"),
    kill: end("SIGKILL"),
    start,
    listens: listensAt(socketPath),
    log
  }
})
