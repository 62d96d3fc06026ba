/**
 * A shim of containerd whose containers are virtual machines: a program that containerd starts for a container, and that serves
 * the task service for it on a socket. `Shim.ts PARTS -namespace N -id I -address A [start|delete]`, in the container's directory.
 * @see https://github.com/containerd/containerd/blob/v1.6.20/runtime/v2/README.md
 */
import { spawn, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { setTimeout as sleep } from "node:timers/promises"
import * as GuestMachine from "./GuestMachine.ts"
import { bytesOf, type Methods, numberOf, read, refusal, serve, textOf, write } from "./Ttrpc.ts"

const [parts = "", ...flags] = process.argv.slice(2)
const after = (flag: string): string => flags[flags.indexOf(flag) + 1] ?? ""
const [namespace, id, address] = [after("-namespace"), after("-id"), after("-address")]
const publisher = after("-publish-binary")
const directory = process.cwd()

const sockets = "/run/containerd/s"
const socket = join(sockets, createHash("sha256").update(`${address} ${namespace} ${id}`).digest("hex"))

/** Of tasks. */
const [created, running, stopped, paused] = [1, 2, 3, 4]
const [notFound, failedPrecondition] = [5, 9]
const readyLimitMs = 10_000

const timestamp = (unixMs: number): Uint8Array =>
  write({ 1: Math.floor(unixMs / 1_000), 2: (unixMs % 1_000) * 1_000_000 })

const any = (typeUrl: string, value: Uint8Array): Uint8Array => write({ 1: typeUrl, 2: value })

const ended = (pid: number, { atUnixMs, status }: GuestMachine.Exit): Uint8Array =>
  write({ 1: pid, 2: status, 3: timestamp(atUnixMs) })

/** containerd does not ask whether a task has ended. Where it is away it will, when it is back. */
const publish = (pid: number, { atUnixMs, status }: GuestMachine.Exit): void => {
  const event = write({ 1: id, 2: id, 3: pid, 4: status, 5: timestamp(atUnixMs) })
  const about = ["--address", address, "publish", "--topic", "/tasks/exit", "--namespace", namespace]
  spawnSync(publisher, about, { input: any("containerd.events.TaskExit", event) })
}

/** What the process of the machine has used, as containerd tells it of a control group. */
const usage = (pid: number): Uint8Array => {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? []
  const ticks = Number(fields[11]) + Number(fields[12])
  const nanosecondsPerTick = 10_000_000
  const residentBytes = Number(fields[21]) * 4_096
  const cpu = write({ 1: write({ 1: ticks * nanosecondsPerTick }) })
  const memory = write({ 33: write({ 2: residentBytes }) })
  return any("io.containerd.cgroups.v1.Metrics", write({ 3: cpu, 4: memory }))
}

interface Task {
  readonly machine: GuestMachine.GuestMachine
  readonly io: { readonly stdin: string; readonly stdout: string; readonly stderr: string }
  status: number
  exit: GuestMachine.Exit | undefined
}

let task: Task | undefined

const theTask = (): Task => {
  if (task === undefined) throw refusal(notFound, `no task ${id}`)
  return task
}

const alive = (): Task => {
  const found = theTask()
  if (found.exit !== undefined) throw refusal(notFound, `task ${id} has ended`)
  return found
}

const nothing = new Uint8Array()

const changed = async (to: number, ...from: ReadonlyArray<number>): Promise<Uint8Array> => {
  const found = alive()
  if (!from.includes(found.status)) throw refusal(failedPrecondition, `task ${id} is in state ${found.status}`)
  await (to === running ? found.machine.run() : found.machine.stop())
  found.status = to
  return nothing
}

const methods: Methods = {
  Create: async (request) => {
    const rootfs = bytesOf(request, 3).map((bytes) => {
      const mount = read(bytes)
      const options = bytesOf(mount, 4).map((option) => Buffer.from(option).toString("utf8"))
      return { type: textOf(mount, 1), source: textOf(mount, 2), options }
    })
    const io = { stdin: textOf(request, 5), stdout: textOf(request, 6), stderr: textOf(request, 7) }
    const machine = await GuestMachine.make({ parts, directory, rootfs, output: io.stdout })
    const made: Task = { machine, io, status: created, exit: undefined }
    task = made
    void machine.exited.then((exit) => {
      made.exit = exit
      made.status = stopped
      publish(machine.pid, exit)
    })
    return write({ 1: machine.pid })
  },
  Start: async () => {
    await changed(running, created)
    return write({ 1: alive().machine.pid })
  },
  Pause: () => changed(paused, running),
  Resume: () => changed(running, paused),
  State: () => {
    const { exit, io, machine, status } = theTask()
    const atEnd = exit === undefined ? {} : { 9: exit.status, 10: timestamp(exit.atUnixMs) }
    return write({ 1: id, 2: directory, 3: machine.pid, 4: status, 5: io.stdin, 6: io.stdout, 7: io.stderr, ...atEnd })
  },
  Kill: (request) => {
    // A machine has no other end than that: there is nobody in it to be asked.
    if (numberOf(request, 3) !== 0) alive().machine.kill()
    return nothing
  },
  Wait: async () => {
    const exit = await theTask().machine.exited
    return write({ 1: exit.status, 2: timestamp(exit.atUnixMs) })
  },
  Delete: async () => {
    const { exit, machine } = theTask()
    if (exit === undefined) throw refusal(failedPrecondition, `task ${id} has not ended`)
    return ended(machine.pid, exit)
  },
  Pids: () => write({ 1: write({ 1: theTask().machine.pid }) }),
  Stats: () => write({ 1: usage(alive().machine.pid) }),
  Connect: () => write({ 1: process.pid, 2: task?.machine.pid, 3: "1" }),
  Shutdown: () => {
    setImmediate(() => {
      rmSync(socket, { force: true })
      process.exit()
    })
    return nothing
  }
}

const answers = (): Promise<boolean> =>
  new Promise((resolve) => {
    const attempt = connect(socket, () => resolve(true))
    attempt.on("error", () => resolve(false)).on("connect", () => attempt.end())
  })

/** containerd reads the address, and takes the end of this process for the beginning of the other. */
const start = async (): Promise<void> => {
  mkdirSync(sockets, { recursive: true })
  const all = [fileURLToPath(import.meta.url), parts, ...flags.filter((flag) => flag !== "start"), "serve"]
  spawn(process.execPath, all, { detached: true, stdio: "ignore" }).unref()
  const deadline = performance.now() + readyLimitMs
  while (!(await answers())) {
    if (performance.now() > deadline) throw new Error("the shim does not answer")
    await sleep(5)
  }
  writeFileSync("address", `unix://${socket}`)
  process.stdout.write(`unix://${socket}`)
}

/** Of a shim that is gone: its machine goes too. */
const clear = (): void => {
  let pid = 0
  try {
    pid = Number(readFileSync(join(directory, GuestMachine.pidFile), "utf8"))
    process.kill(pid, "SIGKILL")
  } catch {
    // There was none yet, or it has ended already.
  }
  rmSync(socket, { force: true })
  process.stdout.write(ended(pid, { status: GuestMachine.killedStatus, atUnixMs: Date.now() }))
}

const action = flags.at(-1)
if (action === "start") await start()
else if (action === "delete") clear()
else serve(socket, methods)
