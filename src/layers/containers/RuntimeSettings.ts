/** How workers live in containers, whichever engine has them: what they get, and the limits of what is waited for. */
import type { StackIdentity } from "#domain/StackIdentity"

/** What has to be said. */
export interface RuntimePlaces {
  /** Names of containers are made from it. */
  readonly identity: StackIdentity
}

/** How memory buys processors: who has more goes before others where there are too few, or nobody gets more than that ever. */
export type CpuLimit = "weight" | "quota"

/** What may be said. */
export interface RuntimeOptions {
  readonly cpuLimit: CpuLimit
  /**
   * Containers that are made before they are asked for, of each kind that was, and of all kinds together. Each holds what its
   * engine makes for it: with runc under containerd, a network and 8 MiB.
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
  /** Workers of an earlier run that are taken over at a time. */
  readonly parallelReturns: number
  /** What extensions get between SHUTDOWN and the end, as on AWS. Without a listening extension nobody waits. */
  readonly shutdownGraceMs: number
  /** How often the memory of containers in use is measured. */
  readonly sampleEveryMs: number
}

export type RuntimeSettings = RuntimePlaces & RuntimeOptions

export const defaults: RuntimeOptions = {
  cpuLimit: "weight",
  preparedPerSpec: 0,
  preparedTotal: 32,
  preparedIdleMs: 600_000,
  prepareAfterMs: 250,
  listenerPatienceMs: 60_000,
  returnLimitMs: 3_000,
  parallelReturns: 4,
  shutdownGraceMs: 2_000,
  sampleEveryMs: 500
}
