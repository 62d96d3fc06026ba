/**
 * A containerd of the test's own: its files, its socket and its namespace are nobody else's, and go with the scope, along with
 * every container that is left in it.
 */
import { execFile, execFileSync, type ChildProcess, spawn, spawnSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { once } from "node:events"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { promisify } from "node:util"
import { Effect, Schedule } from "effect"
import { engine, type EngineName, needs, pathOf } from "./Engines.ts"
import * as Freezers from "./Freezers.ts"
import * as Mounts from "./Mounts.ts"
import * as Processes from "./Processes.ts"

/** The machine's own, or another one that it has been given for tests. */
export type Series = "containerd" | "containerd-1.7" | "containerd-2"

/** The version, where it is here: `containerd 1.6.20`. */
const nameOf = (series: Series): string => {
  const daemon = engine(series)
  if (!daemon.present) return series
  const { stdout } = spawnSync(daemon.path, ["--version"], { encoding: "utf8" })
  return `containerd ${/ v?(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? "of no version"}`
}

export interface Version {
  readonly series: Series
  readonly name: string
  /** It can keep what it holds in disks that are plain files. */
  readonly keepsDisks: boolean
  /** Options of a suite that runs on it. */
  readonly needed: ReturnType<typeof needs>
}

const everySeries = ["containerd", "containerd-1.7", "containerd-2"] as const

/** Every containerd that a suite runs on, with what else it needs. */
export const everyVersion = (...others: ReadonlyArray<EngineName>): ReadonlyArray<Version> =>
  everySeries.map((series) => {
    const name = nameOf(series)
    return { series, name, keepsDisks: !name.includes(" 1.6."), needed: needs(series, ...others) }
  })

export interface Wish {
  /** The machine's own, when left out. */
  readonly series?: Series
  /** Directories with shims of the test's own, which are looked for there before all others. */
  readonly shims?: ReadonlyArray<string>
  /** Further lines of its config.toml, tables only. */
  readonly config?: string
}

export interface Containerd {
  /** Path of its gRPC socket. */
  readonly socket: string
  /** Nobody else's: what a low-level runtime knows of containers lies beside that of all others, by namespace. */
  readonly namespace: string
  /** Holds all its files, and what a test likes to put there. */
  readonly directory: string
  /** What containerd's own client writes on stdout, about this namespace. */
  readonly ctr: (...args: ReadonlyArray<string>) => Effect.Effect<string>
  /** Kills the daemon, and nothing but the daemon. It answers no more when this returns. */
  readonly stop: Effect.Effect<void>
  /** It answers again when this returns. */
  readonly start: Effect.Effect<void>
  readonly log: () => string
}

const readyLimitMs = 10_000
const run = promisify(execFile)

/** What Kubernetes needs, and file systems that test machines lack. */
const unused = ["grpc.v1.cri", "snapshotter.v1.aufs", "snapshotter.v1.btrfs", "snapshotter.v1.zfs"].map(
  (plugin) => `io.containerd.${plugin}`
)

const configuration = (directory: string, socket: string, more: string): string =>
  [
    "version = 2",
    `root = "${join(directory, "root")}"`,
    `state = "${join(directory, "state")}"`,
    `disabled_plugins = ${JSON.stringify(unused)}`,
    "[grpc]",
    `address = "${socket}"`,
    `[plugins."io.containerd.internal.v1.opt"]`,
    `path = "${join(directory, "opt")}"`,
    more
  ].join("\n")

/** `undefined` where the process is gone meanwhile, which is what was wanted. */
const unlessGone = <A>(act: () => A): A | undefined => {
  try {
    return act()
  } catch {
    return undefined
  }
}

/** What a shim started knows nothing of the directory; where its first process ends, all of a container does. */
const childrenOf = (pid: number): ReadonlyArray<number> =>
  (unlessGone(() => readdirSync(`/proc/${pid}/task`)) ?? [])
    .flatMap((thread) => unlessGone(() => readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8")) ?? [])
    .flatMap((line) => line.split(" ").filter(Boolean).map(Number))

const end = (pid: number): void => {
  for (const one of [...childrenOf(pid), pid]) {
    Processes.kill(one)
    unlessGone(() => Freezers.thaw(one))
  }
}

/** The kernel's control groups of a namespace, in every hierarchy, the innermost first. */
const groupsOf = (namespace: string): ReadonlyArray<string> =>
  readdirSync("/sys/fs/cgroup")
    .flatMap((each) => [join("/sys/fs/cgroup", each, namespace), join("/sys/fs/cgroup", namespace)])
    .filter((path, index, all) => existsSync(path) && all.indexOf(path) === index)
    .flatMap((path) => {
      const inside = unlessGone(() => readdirSync(path, { withFileTypes: true })) ?? []
      return [...inside.flatMap((entry) => (entry.isDirectory() ? [join(path, entry.name)] : [])), path]
    })

/** Whoever would have removed them was killed. The kernel keeps them until the last of those in them has ended. */
const removeGroups = (namespace: string) =>
  Effect.suspend(() => {
    for (const path of groupsOf(namespace)) unlessGone(() => rmdirSync(path))
    return Effect.succeed(groupsOf(namespace).length)
  }).pipe(
    Effect.repeat({ until: (left) => left === 0, times: 20, schedule: Schedule.spaced("50 millis") }),
    Effect.asVoid
  )

/** Ends what a test left running, and what would keep the directory from being removed. */
const tidy = (directory: string, namespace: string): void => {
  for (const { pid } of Processes.of(directory)) end(pid)
  const runtimes = ["runc", "crun"].map((name) => join("/run/containerd", name, namespace))
  for (const path of Mounts.below(directory)) execFileSync("umount", ["--lazy", path])
  for (const path of [directory, ...runtimes]) rmSync(path, { recursive: true, force: true, maxRetries: 5 })
}

const kill = (child: ChildProcess) =>
  Effect.promise(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, "exit")
    child.kill("SIGKILL")
    await gone
  })

export const make = Effect.fnUntraced(function* ({ config = "", series = "containerd", shims = [] }: Wish = {}) {
  const namespace = `esb-test-${randomUUID().slice(0, 8)}`
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "esb-containerd-"))),
    (path) =>
      Effect.andThen(
        Effect.sync(() => tidy(path, namespace)),
        removeGroups(namespace)
      )
  )
  const socket = join(directory, "containerd.sock")
  const configPath = join(directory, "config.toml")
  writeFileSync(configPath, configuration(directory, socket, config))
  const daemonPath = pathOf(series)
  const client = join(dirname(daemonPath), "ctr")
  const path = [...shims, dirname(daemonPath), process.env["PATH"] ?? ""].join(delimiter)
  let daemon: ChildProcess | undefined
  let said = ""

  const ctr = (...args: ReadonlyArray<string>) =>
    Effect.promise(async () => {
      const given = ["--address", socket, "--namespace", namespace, ...args]
      return (await run(client, given, { encoding: "utf8", timeout: 60_000 })).stdout.trim()
    })

  const stop = Effect.suspend(() => (daemon === undefined ? Effect.void : kill(daemon)))

  const start = Effect.promise(async () => {
    const child = spawn(daemonPath, ["--config", configPath], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { PATH: path }
    })
    daemon = child
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-65_536)))
    const deadline = performance.now() + readyLimitMs
    const answers = () =>
      run(client, ["--address", socket, "version"]).then(
        () => true,
        () => false
      )
    while (!(await answers())) {
      if (performance.now() > deadline) throw new Error(`containerd does not answer:\n${said}`)
      await new Promise((again) => setTimeout(again, 20))
    }
  })

  yield* Effect.addFinalizer(() => stop)
  yield* start
  return { socket, namespace, directory, ctr, stop, start, log: () => said } satisfies Containerd
})
