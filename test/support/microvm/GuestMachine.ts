/** One virtual machine, emulated by QEMU, whose only program is a container's. */
import { type ChildProcessByStdio, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { cpSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { createInterface } from "node:readline"
import type { Readable, Writable } from "node:stream"
import * as Guest from "./Guest.ts"
import * as GuestNetwork from "./GuestNetwork.ts"

export interface Mount {
  readonly type: string
  readonly source: string
  readonly options: ReadonlyArray<string>
}

export interface Given {
  /** Directory with what all guests have in common. */
  readonly parts: string
  /** Of the container: its specification is here, and what the machine needs of files goes here. */
  readonly directory: string
  readonly rootfs: ReadonlyArray<Mount>
  /** Path of the pipe that takes its output. */
  readonly output: string
}

export interface Exit {
  readonly status: number
  readonly atUnixMs: number
}

export interface GuestMachine {
  readonly pid: number
  readonly exited: Promise<Exit>
  readonly run: () => Promise<void>
  readonly stop: () => Promise<void>
  readonly kill: () => void
}

/** In the container's directory: for whoever has to end a machine whose shim is gone. */
export const pidFile = "machine.pid"

/** In the container's directory: the exit status, in the guest's words. */
const toldFile = "told"

/** What a guest needs for its kernel, besides what the function may use. */
const kernelMiB = 96
const bytesPerMiB = 1024 ** 2

/** Free space on a disk that nobody writes to, for what a file system keeps of itself. */
const spareMiB = 32

/** Status of a container whose machine ended without a word of it, and of one whose machine was killed. */
const unknownStatus = 255
export const killedStatus = 137

const keptCharacters = 4_096

/** A disk with the container's files on it, and with those of the machine that take the place of its own. */
const diskOf = ({ directory, rootfs }: Given, { mounts }: Guest.Bundle): string => {
  const root = join(directory, "rootfs")
  mkdirSync(root, { recursive: true })
  for (const { options, source, type } of rootfs) {
    execFileSync("mount", ["-t", type, ...(options.length > 0 ? ["-o", options.join()] : []), source, root])
  }
  try {
    for (const { destination, source } of mounts.filter(({ type }) => type === "bind")) {
      const place = join(root, destination)
      mkdirSync(statSync(source).isDirectory() ? place : dirname(place), { recursive: true })
      cpSync(source, place, { recursive: true, dereference: true })
    }
    for (const name of ["dev", "proc", "sys", "tmp"]) mkdirSync(join(root, name), { recursive: true })
    const usedMiB = Number.parseInt(execFileSync("du", ["-sxm", root], { encoding: "utf8" }))
    const disk = join(directory, "disk")
    const kind = ["-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", root]
    execFileSync("mke2fs", [...kind, disk, `${Math.ceil(usedMiB * 1.1) + spareMiB}M`])
    return disk
  } finally {
    execFileSync("umount", [root])
  }
}

/**
 * How fast the machine's own clock runs, in kHz: an emulated processor counts by it, and finds nothing in a machine as small as
 * this one to measure it with.
 */
const clockKhz = (): number =>
  Math.round(Number(/^bogomips\s*:\s*([\d.]+)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? 0) * 500)

const flags = (given: Given, bundle: Guest.Bundle, { mac }: Guest.Address, disk: string): ReadonlyArray<string> => {
  const { directory, output, parts } = given
  const memoryMiB = Math.ceil(bundle.linux.resources.memory.limit / bytesPerMiB) + kernelMiB
  const told: ReadonlyArray<readonly [string, string]> = [
    ["machine", "microvm,acpi=on"],
    ["accel", "tcg"],
    ["cpu", "max"],
    ["smp", "1"],
    ["m", String(memoryMiB)],
    ["display", "none"],
    ["qmp", "stdio"],
    ["kernel", join(parts, Guest.kernelFile)],
    ["initrd", join(directory, "initrd")],
    ["append", `quiet loglevel=0 panic=-1 reboot=t tsc_early_khz=${clockKhz()}`],
    ["drive", `id=disk,file=${disk},format=raw,if=none,readonly=on`],
    ["device", "virtio-blk-device,drive=disk"],
    ["netdev", `tap,id=net,ifname=${GuestNetwork.tap},script=no,downscript=no`],
    ["device", `virtio-net-device,netdev=net,mac=${mac}`],
    ["device", "virtio-serial-device"],
    ["chardev", `file,id=output,path=${output}`],
    ["device", "virtserialport,chardev=output,nr=1"],
    ["chardev", `file,id=told,path=${join(directory, toldFile)}`],
    ["device", "virtserialport,chardev=told,nr=2"]
  ]
  // Made, and not begun.
  return ["-nodefaults", "-no-user-config", "-no-reboot", "-S", ...told.flatMap(([flag, value]) => [`-${flag}`, value])]
}

type Qemu = ChildProcessByStdio<Writable, Readable, Readable>

/** Asks and waits for the answer, one question after the other. @see https://www.qemu.org/docs/master/interop/qmp-spec.html */
const monitor = (qemu: Qemu) => {
  let said = ""
  qemu.stderr.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-keptCharacters)))
  const waiting: Array<(told: string) => void> = []
  createInterface({ input: qemu.stdout }).on("line", (line) => {
    const told = JSON.parse(line) as Readonly<Record<string, unknown>>
    if ("return" in told || "error" in told) waiting.shift()?.(line)
  })
  return async (command: string): Promise<void> => {
    const told = new Promise<string>((resolve) => waiting.push(resolve))
    qemu.stdin.write(`${JSON.stringify({ execute: command })}\n`)
    const answer = await Promise.race([told, once(qemu, "exit").then(() => undefined)])
    if (answer === undefined) throw new Error(`${command}: the machine is gone. ${said}`)
    if ("error" in JSON.parse(answer)) throw new Error(`${command}: ${answer}`)
  }
}

/** Made, and standing still. */
export const make = async (given: Given): Promise<GuestMachine> => {
  const { directory, parts } = given
  const bundle = JSON.parse(readFileSync(join(directory, "config.json"), "utf8")) as Guest.Bundle
  const namespace = bundle.linux.namespaces.find(({ type }) => type === "network")?.path
  if (namespace === undefined) throw new Error("the container has no network namespace")
  const disk = diskOf(given, bundle)
  const address = GuestNetwork.handOver(namespace)
  writeFileSync(join(directory, "initrd"), Guest.memory(parts, bundle, address))
  const all = [`--net=${namespace}`, "qemu-system-x86_64", ...flags(given, bundle, address, disk)]
  const qemu = spawn("nsenter", all, { stdio: ["pipe", "pipe", "pipe"] })
  qemu.stdin.on("error", () => qemu.stdin.destroy())
  const told = join(directory, toldFile)
  writeFileSync(told, "")
  const exited = once(qemu, "exit").then(([, signal]: ReadonlyArray<unknown>): Exit => {
    const status = Number.parseInt(readFileSync(told, "utf8"))
    const ofGuest = Number.isNaN(status) ? unknownStatus : status
    return { status: signal === null ? ofGuest : killedStatus, atUnixMs: Date.now() }
  })
  const ask = monitor(qemu)
  await ask("qmp_capabilities")
  const pid = qemu.pid ?? 0
  writeFileSync(join(directory, pidFile), String(pid))
  return {
    pid,
    exited,
    run: () => ask("cont"),
    stop: () => ask("stop"),
    kill: () => void qemu.kill("SIGKILL")
  }
}
