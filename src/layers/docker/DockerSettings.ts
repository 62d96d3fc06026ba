/** What the engine is asked for, and the limits of everything that waits for it. */
import type { StackIdentity } from "#domain/StackIdentity"
import type { RegistryLogin } from "./DockerImageBuilder.ts"

/** When an image is fetched: before every start, when the engine lacks it, or by nobody here. */
export type PullPolicy = "always" | "if-not-present" | "never"

/** How memory buys processors: who has more goes before others where there are too few, or nobody gets more than that ever. */
export type CpuLimit = "weight" | "quota"

/** What has to be said. */
export interface DockerPlaces {
  /** Names and labels of containers are made from it; containers with other labels are never looked at. */
  readonly identity: StackIdentity
}

/** What may be said. */
export interface DockerOptions {
  readonly pullPolicy: PullPolicy
  /** On the engine's machine, what workers read to know whom to believe; `undefined`: they believe what their image does. */
  readonly trustDirectory: string | undefined
  readonly cpuLimit: CpuLimit
  /** Who the engine says it is at registries; each is told to its registry alone. */
  readonly logins: ReadonlyArray<RegistryLogin>
  /** Images that are fetched at a time, and how long one may take. */
  readonly parallelPulls: number
  readonly pullLimitMs: number
  /** Containers that are started, and removed, at a time. On two processors the engine does eight of them slower than four. */
  readonly parallelStarts: number
  readonly parallelRemovals: number
  /**
   * How long the runtime client of a container waits for an Agent that is away before it takes itself for an orphan: longer than
   * a restart takes, with everything that comes between.
   */
  readonly listenerPatienceMs: number
  /** How long a worker of an earlier run may take to show how it is spoken to, where its image leaves that open. */
  readonly returnLimitMs: number
  /** How often a container that has started is asked for its address, and how long between two questions. */
  readonly addressTries: number
  readonly addressEveryMs: number
  /** Limit for the output of a container that has ended. */
  readonly lastOutputMs: number
  /** What extensions get between SHUTDOWN and the end, as on AWS. Without a listening extension nobody waits. */
  readonly shutdownGraceMs: number
  /** How often the memory of containers in use is measured. */
  readonly sampleEveryMs: number
  /** How long to wait before the engine's events, or a container's output, are asked for again. */
  readonly reconnectEveryMs: number
}

export type DockerSettings = DockerPlaces & DockerOptions

export const defaults: DockerOptions = {
  pullPolicy: "if-not-present",
  trustDirectory: undefined,
  cpuLimit: "weight",
  logins: [],
  parallelPulls: 4,
  pullLimitMs: 600_000,
  parallelStarts: 4,
  parallelRemovals: 4,
  listenerPatienceMs: 60_000,
  returnLimitMs: 3_000,
  addressTries: 5,
  addressEveryMs: 100,
  lastOutputMs: 200,
  shutdownGraceMs: 2_000,
  sampleEveryMs: 500,
  reconnectEveryMs: 250
}
