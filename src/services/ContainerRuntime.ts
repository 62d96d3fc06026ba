/** Where workers come from. */
import { Context, type Effect } from "effect"
import type {
  ArtifactNotFound,
  ContainerNotFound,
  NotOwner,
  RuntimeUnavailable,
  RuntimeUnsupported
} from "#domain/Failure"
import type { ContainerId, ContainerMetrics, ContainerState, OwnerId, Worker, WorkerSpec } from "#domain/Worker"

type Refused = ContainerNotFound | NotOwner | RuntimeUnavailable

/**
 * Starts, pauses, lists, measures and destroys workers on one host. Keeps no pool: every `ensure` is a new container.
 * Knows no path, pid or socket, so that an Agent on another machine can stand in for it.
 */
export class ContainerRuntime extends Context.Service<
  ContainerRuntime,
  {
    /**
     * A new started container, not yet probed: {@link WorkerClient} tells when it is ready. When this fails or is
     * interrupted nothing is left behind.
     */
    readonly ensure: (
      spec: WorkerSpec,
      owner: OwnerId
    ) => Effect.Effect<Worker, RuntimeUnavailable | RuntimeUnsupported | ArtifactNotFound>
    /** Gone when this returns, with every process it started. An unknown id is success: gone is gone. */
    readonly destroy: (id: ContainerId, owner: OwnerId) => Effect.Effect<void, NotOwner | RuntimeUnavailable>
    /** Frozen: uses no CPU until `resume`. Suspending twice is success. */
    readonly suspend: (id: ContainerId, owner: OwnerId) => Effect.Effect<void, Refused>
    /** Runs on, and was used now. Resuming twice is success. */
    readonly resume: (id: ContainerId, owner: OwnerId) => Effect.Effect<void, Refused>
    /** Every container of this owner, stopped ones included. */
    readonly list: (owner: OwnerId) => Effect.Effect<ReadonlyArray<ContainerState>, RuntimeUnavailable>
    readonly metrics: (id: ContainerId, owner: OwnerId) => Effect.Effect<ContainerMetrics, Refused>
    /** Marks a container as used now. An engine far away may let one that is suspended run on. */
    readonly touch: (id: ContainerId, owner: OwnerId) => Effect.Effect<void, Refused>
    /**
     * Removes what no owner can reach any more: stopped containers, leftovers of an earlier run, and the workers of owners who
     * are gone, unless they are in a call. Returns how many.
     */
    readonly gc: (isGone: (owner: OwnerId) => boolean) => Effect.Effect<number, RuntimeUnavailable>
    /** A cheap hint: `false` means that the engine did not answer when it was last asked, whatever was asked of it. */
    readonly isReachable: () => boolean
  }
>()("esb/services/ContainerRuntime") {}
