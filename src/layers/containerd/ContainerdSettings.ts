/** What containerd is asked for, and the limits of everything that waits for it. */
import type { StackIdentity } from "#domain/StackIdentity"
import type { WorkerRuntime } from "./WorkerRuntime.ts"

/** What has to be said. */
export interface ContainerdPlaces {
  /** Names and labels of containers are made from it; containers with other labels are never looked at. */
  readonly identity: StackIdentity
  /** Absolute; of this stack alone. Holds the pipes of its containers, and the files in which they look up names. */
  readonly directory: string
}

/** How memory buys processors: who has more goes before others where there are too few, or nobody gets more than that ever. */
export type CpuLimit = "weight" | "quota"

/** What may be said. */
export interface ContainerdOptions extends WorkerRuntime {
  readonly snapshotter: string
  /**
   * How workers are frozen and thawed: by the kernel's file, past containerd, or by containerd; `auto`: by the file wherever a
   * container has one of its own, and a start fails for none.
   */
  readonly freeze: "auto" | "cgroup" | "task"
  /** Containers share one process that looks after them: 5 MiB less for each, and one crash for all. */
  readonly sharesShim: boolean
  /** What workers read to know whom to believe; `undefined`: they believe what their image does. */
  readonly trustDirectory: string | undefined
  readonly cpuLimit: CpuLimit
  /** Absolute, in every hierarchy. */
  readonly cgroupParent: string
  /** Containers that are started, and removed, at a time. On two processors eight take as long as twice four. */
  readonly parallelStarts: number
  readonly parallelRemovals: number
  /**
   * Containers that are made before they are asked for, of each kind that was, and of all kinds together. Each holds a network
   * and, with runc, 8 MiB.
   */
  readonly preparedPerSpec: number
  readonly preparedTotal: number
  /** How long one is kept ready after its kind was last asked for. */
  readonly preparedIdleMs: number
  /** How long nobody must have asked for a start before one is made ahead. */
  readonly prepareAfterMs: number
  /**
   * How long the runtime client of a container waits for an Agent that is away before it takes itself for an orphan: longer than
   * a restart takes, with everything that comes between.
   */
  readonly listenerPatienceMs: number
  /** How long a worker of an earlier run may take to show how it is spoken to, where its image leaves that open. */
  readonly returnLimitMs: number
  /** How long a container that was killed may take to end. */
  readonly endLimitMs: number
  /** Limit for the output of a container that has ended. */
  readonly lastOutputMs: number
  /** What extensions get between SHUTDOWN and the end, as on AWS. Without a listening extension nobody waits. */
  readonly shutdownGraceMs: number
  /** How often the memory of containers in use is measured. */
  readonly sampleEveryMs: number
  /** How long to wait before containerd's events are asked for again. */
  readonly reconnectEveryMs: number
}

export type ContainerdSettings = ContainerdPlaces & ContainerdOptions

/** The shim of runc, and of whatever takes runc's place. */
const runcShim = "io.containerd.runc.v2"

export const defaultsOf = ({ identity }: ContainerdPlaces): ContainerdOptions => ({
  runtime: runcShim,
  runtimeProgram: undefined,
  snapshotter: "overlayfs",
  freeze: "auto",
  sharesShim: false,
  trustDirectory: undefined,
  cpuLimit: "weight",
  cgroupParent: `/${identity.brand}`,
  parallelStarts: 4,
  parallelRemovals: 4,
  preparedPerSpec: 0,
  preparedTotal: 32,
  preparedIdleMs: 600_000,
  prepareAfterMs: 250,
  listenerPatienceMs: 60_000,
  returnLimitMs: 3_000,
  endLimitMs: 10_000,
  lastOutputMs: 200,
  shutdownGraceMs: 2_000,
  sampleEveryMs: 500,
  reconnectEveryMs: 250
})
