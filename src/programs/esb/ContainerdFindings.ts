/**
 * What `esb doctor` says of the containerd mode besides what it says of the Docker Engine: whether a containerd can do its work in
 * a container of that engine.
 */
import { Effect } from "effect"
import { access, readFile } from "node:fs/promises"
import * as RuntimeName from "#domain/RuntimeName"
import { type Check, check, firstLineOf, firstLineWithin } from "./Finding.ts"
import * as MachineRights from "./MachineRights.ts"
import * as ServerImages from "./ServerImages.ts"
import type { StackSettings } from "./StackSettings.ts"

const mode = "containerd"

/** Rights that an engine of a user, or one with users of its own, has not got to give. */
const lesserRights = /name=(rootless|userns)/

const privileges = check({
  mode,
  what: "privileged containers",
  look: async () => {
    // Without an engine the client still says something, and why is a finding of its own.
    const options = await firstLineOf("docker", "info", "--format", "{{json .SecurityOptions}}").catch(() => {
      throw new Error("no Docker engine answers")
    })
    const [, lesser] = lesserRights.exec(options) ?? []
    if (lesser !== undefined) throw new Error(`the engine runs as ${lesser}`)
    return "the engine has the rights of root"
  },
  remedy:
    "run a Docker Engine as root, without userns-remap: the runtime node makes networks, mounts and control groups"
})

/** Where there is nothing withheld this says nothing. */
const rights = Effect.map(Effect.promise(MachineRights.withheld), (withheld) => ({
  isWhole: withheld === 0,
  checks:
    withheld === 0
      ? []
      : [
          check({
            mode,
            what: "all rights of a machine",
            isOptional: true,
            look: () => Promise.reject(new Error(`this machine withholds ${withheld} from everybody on it`)),
            remedy:
              "esb up gives the runtime node those it needs, and none of the machine's devices: no KVM, no device mapper"
          })
        ]
}))

/** Elsewhere the engine has a kernel of its own. */
const overlay = (snapshotter: string): ReadonlyArray<Check> =>
  process.platform === "linux" && snapshotter === RuntimeName.directorySnapshotter
    ? [
        check({
          mode,
          what: "overlayfs",
          look: async () => {
            if (/\boverlay$/m.test(await readFile("/proc/filesystems", "utf8"))) return "the kernel has it"
            throw new Error("the kernel of this machine does not list it")
          },
          remedy: "modprobe overlay, or another snapshotter with CONTAINERD_SNAPSHOTTER"
        })
      ]
    : []

/** What is made there goes with the container: it has a network of its own. */
const probe = `
const { spawnSync } = require("node:child_process")
for (const command of ["ip link add name probe type bridge", "ip link add name one type veth peer name other",
  "iptables --table nat --append POSTROUTING --source 10.88.0.0/16 --jump MASQUERADE"]) {
  const [program, ...args] = command.split(" ")
  const { error, status, stderr } = spawnSync(program, args, { encoding: "utf8" })
  if (status !== 0) { console.log(command + ": " + (error?.message ?? stderr.trim())); process.exit(1) }
}
console.log("bridges, pairs of interfaces and iptables work")
`

/** For a container to start, do this, and end. */
const probeMs = 30_000

const probed = (image: string, isPrivileged: boolean): Promise<string> => {
  const rights = isPrivileged ? "--privileged" : "--cap-add=NET_ADMIN"
  const run = ["run", "--rm", "--network", "none", rights, "--entrypoint", "/usr/bin/node", image, "--eval", probe]
  return firstLineWithin(probeMs, "docker", ...run)
}

const isThere = (image: string): Effect.Effect<boolean> =>
  Effect.tryPromise(() => firstLineOf("docker", "image", "inspect", "--format", "{{.Id}}", image)).pipe(
    Effect.as(true),
    Effect.orElseSucceed(() => false)
  )

/** An image of ours is made by a start: before the first one there is nothing to look in. */
const network = (image: string, isPrivileged: boolean): Check =>
  Effect.flatMap(isThere(image), (isMade) =>
    check({
      mode,
      what: "a network for workers in the runtime node",
      isOptional: !isMade,
      patienceMs: probeMs,
      look: () =>
        isMade ? probed(image, isPrivileged) : Promise.reject(new Error(`there is no ${image} yet to try it in`)),
      remedy: isMade
        ? "give the kernel of this machine what it lacks: modprobe bridge veth iptable_nat"
        : "esb up --mode containerd makes it; look again then"
    })
  )

/** Of those who ask for them, and nobody else. */
const wanted = (runtime: string | undefined, snapshotter: string): ReadonlyArray<Check> => [
  ...(runtime === RuntimeName.ofMachines
    ? [
        check({
          mode,
          what: "KVM, for Firecracker",
          look: () => access("/dev/kvm").then(() => "/dev/kvm"),
          remedy: "enable virtualisation in this machine, or leave CONTAINERD_RUNTIME out"
        })
      ]
    : []),
  ...(snapshotter === RuntimeName.diskSnapshotter
    ? [
        check({
          mode,
          what: "device mapper, for the snapshotter of disks",
          look: () => access("/dev/mapper/control").then(() => "/dev/mapper/control"),
          remedy: "modprobe dm_thin_pool, and make a pool: docs/firecracker.md"
        })
      ]
    : [])
]

export const findings = (settings: StackSettings) => {
  const { containerdRuntime: runtime, containerdSnapshotter, serverRegistry: registry, tag } = settings
  const snapshotter = RuntimeName.snapshotterOf(runtime, containerdSnapshotter)
  const image = ServerImages.reference({ registry, tag }, "runtime-node")
  return Effect.flatMap(rights, ({ checks, isWhole }) =>
    Effect.all(
      [privileges, ...checks, ...overlay(snapshotter), network(image, isWhole), ...wanted(runtime, snapshotter)],
      { concurrency: "unbounded" }
    )
  )
}
