/**
 * What a runtime is told of a worker's container, in the words of the OCI: nothing it does not need, and every limit it has.
 * @see https://github.com/opencontainers/runtime-spec/blob/v1.1.0/config.md
 */
import {
  bytesPerMiB,
  type ContainerUser,
  cpuShares,
  functionUser,
  openFilesLimit,
  processLimit,
  temporaryBytes
} from "#domain/ContainerLimits"
import * as ContainerVariables from "#domain/ContainerVariables"
import type { ImageConfig } from "#domain/ImageManifest"
import type { WorkerSpec } from "#domain/Worker"
import * as SystemCalls from "./SystemCalls.ts"

export interface ContainerPlan {
  readonly name: string
  readonly spec: WorkerSpec
  readonly image: ImageConfig
  /** Whom the image names, looked up in it; `undefined`: nobody. */
  readonly imageUser: ContainerUser | undefined
  readonly memoryMiB: number
  readonly logStream: string
  /** Absolute path of the network namespace that it lives in. */
  readonly networkNamespace: string
  /** Absolute path of the cgroup, in every hierarchy, in which it gets one of its own. */
  readonly cgroupParent: string
  /** The kernel counts swap. Where it does not, it takes no limit of it. */
  readonly countsSwap: boolean
  /** Files of this machine that take the place of the image's. */
  readonly nameFiles: { readonly resolver: string; readonly hosts: string }
  /** Directory of this machine with the authorities that it believes. */
  readonly trustDirectory?: string | undefined
  /** `undefined`: the worker is told of none. */
  readonly door: { readonly endpoint: string; readonly token: string } | undefined
  /** Containers of one name share the process that looks after them; `undefined`: each has one of its own. */
  readonly shimGroup?: string | undefined
}

const root: ContainerUser = { uid: 0, gid: 0 }

const sharedMemoryBytes = 64 * bytesPerMiB

/** Where the whole machine is short of memory, workers go before what runs them. To go later is a right that few have. */
const outOfMemoryScore = 500

/** Every worker goes by this name, which its `/etc/hosts` knows. */
export const hostname = "worker"

/** Where a command is looked for, when neither the image nor the function says. */
const commandPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/** `null`, zero, full, random, urandom, tty: of characters, and of nothing else. */
const devices = [
  [1, 3],
  [1, 5],
  [1, 7],
  [1, 8],
  [1, 9],
  [5, 0]
] as const

/** An image that names a user is believed; any other runs as functions do, unless the function insists. */
const userOf = ({ imageUser, spec }: ContainerPlan): ContainerUser =>
  imageUser ?? (spec.environment["RUN_AS_ROOT"] === "1" ? root : functionUser)

/** What it starts, with its arguments; nothing, where the image does not say. */
export const startOf = ({ config }: ImageConfig): ReadonlyArray<string> => [
  ...(config?.Entrypoint ?? []),
  ...(config?.Cmd ?? [])
]

/** Here it is up to us to find what the image says. */
const environmentOf = ({ image, trustDirectory, ...plan }: ContainerPlan): ReadonlyArray<string> =>
  ContainerVariables.print({
    PATH: commandPath,
    ...ContainerVariables.make(
      { ...plan, isTrusting: trustDirectory !== undefined },
      ContainerVariables.parse(image.config?.Env ?? [])
    )
  })

const bound = (destination: string, source: string) => ({
  destination,
  type: "bind",
  source,
  options: ["rbind", "ro", "nosuid", "nodev", "noexec"]
})

const temporary = (destination: string, ...options: ReadonlyArray<string>) => ({
  destination,
  type: "tmpfs",
  source: "tmpfs",
  options
})

/** The mode of `/tmp` does not hold where the image has one: the kernel's file system gets that one's. Its owner may always write. */
const mountsOf = ({ nameFiles, trustDirectory }: ContainerPlan, { gid, uid }: ContainerUser) => [
  { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
  temporary("/dev", "nosuid", "strictatime", "mode=755", "size=64k"),
  {
    destination: "/dev/pts",
    type: "devpts",
    source: "devpts",
    options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]
  },
  temporary("/dev/shm", "nosuid", "noexec", "nodev", "mode=1777", `size=${sharedMemoryBytes}`),
  { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
  { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
  // Virtual machines of languages read in here how much memory is theirs.
  { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "noexec", "nodev", "ro"] },
  temporary("/tmp", "rw", "exec", "nosuid", "nodev", "mode=1777", `size=${temporaryBytes}`, `uid=${uid}`, `gid=${gid}`),
  bound("/etc/resolv.conf", nameFiles.resolver),
  bound("/etc/hosts", nameFiles.hosts),
  ...(trustDirectory === undefined ? [] : [bound(ContainerVariables.trustPlace, trustDirectory)])
]

/** What tells of the machine, or changes it. */
const hiddenPaths = [
  "acpi",
  "asound",
  "interrupts",
  "kcore",
  "keys",
  "latency_stats",
  "sched_debug",
  "scsi",
  "timer_list"
]
const readOnlyPaths = ["bus", "fs", "irq", "sys", "sysrq-trigger"]

const resourcesOf = ({ countsSwap, memoryMiB }: ContainerPlan) => {
  const limit = memoryMiB * bytesPerMiB
  return {
    devices: [
      { allow: false, access: "rwm" },
      ...devices.map(([major, minor]) => ({ allow: true, type: "c", major, minor, access: "rwm" }))
    ],
    // Together with swap: there is none.
    memory: { limit, ...(countsSwap ? { swap: limit } : {}) },
    cpu: { shares: cpuShares(memoryMiB) },
    pids: { limit: processLimit }
  }
}

export const make = (plan: ContainerPlan) => {
  const { cgroupParent, image, name, networkNamespace, shimGroup } = plan
  const user = userOf(plan)
  return {
    ociVersion: "1.0.2",
    process: {
      user,
      args: startOf(image),
      env: environmentOf(plan),
      cwd: image.config?.WorkingDir || "/",
      noNewPrivileges: true,
      capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
      rlimits: [
        { type: "RLIMIT_NOFILE", soft: openFilesLimit, hard: openFilesLimit },
        { type: "RLIMIT_CORE", soft: 0, hard: 0 }
      ],
      oomScoreAdj: outOfMemoryScore
    },
    root: { path: "rootfs", readonly: true },
    hostname,
    mounts: mountsOf(plan, user),
    ...(shimGroup === undefined ? {} : { annotations: { "io.containerd.runc.v2.group": shimGroup } }),
    linux: {
      cgroupsPath: `${cgroupParent}/${name}`,
      namespaces: [
        { type: "pid" },
        { type: "ipc" },
        { type: "uts" },
        { type: "mount" },
        { type: "cgroup" },
        { type: "network", path: networkNamespace }
      ],
      resources: resourcesOf(plan),
      seccomp: SystemCalls.filter,
      maskedPaths: [...hiddenPaths.map((path) => `/proc/${path}`), "/sys/firmware", "/sys/devices/virtual/powercap"],
      readonlyPaths: readOnlyPaths.map((path) => `/proc/${path}`)
    }
  }
}

export type ContainerSpec = ReturnType<typeof make>
