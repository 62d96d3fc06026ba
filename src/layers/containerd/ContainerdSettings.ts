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
  /** Absolute, in every hierarchy. */
  readonly cgroupParent: string
  /** Containers that are started, and removed, at a time. On two processors eight take as long as twice four. */
  readonly parallelStarts: number
  readonly parallelRemovals: number
  /** How long a container that was killed may take to end. */
  readonly endLimitMs: number
  /** Limit for the output of a container that has ended. */
  readonly lastOutputMs: number
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
  cgroupParent: `/${identity.brand}`,
  parallelStarts: 4,
  parallelRemovals: 4,
  endLimitMs: 10_000,
  lastOutputMs: 200,
  reconnectEveryMs: 250
})
