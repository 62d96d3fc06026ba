/** Networks of workers on this machine: a namespace each, with an address on the stack's bridge. */
import { Context, type Effect, type Option, Schema } from "effect"

/** A network cannot be made, looked at or removed: a plugin is missing, refuses, hangs or speaks nonsense, or the bridge is full. */
export class NetworkUnavailable extends Schema.TaggedError<NetworkUnavailable>()("NetworkUnavailable", {
  detail: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message() {
    return `the workers' network: ${this.detail}`
  }
}

/** A network namespace that is ready before the process that runs in it, and stays when that process is gone. */
export interface WorkerNetwork {
  /** What a container remembers of it, in a label, so that its network is found again by {@link Cni}. */
  readonly name: string
  /** Where the namespace is pinned: `/run/netns/<name>`. */
  readonly path: string
  /** Four numbers. */
  readonly ipAddress: string
}

export class Cni extends Context.Service<
  Cni,
  {
    /** What all these networks have in common. */
    readonly bridge: {
      /** The machine's interface to the workers. */
      readonly name: string
      /** The machine's address on it, as workers see it. */
      readonly gateway: string
      /** As `10.88.0.0/16`. */
      readonly subnet: string
      /** Where workers ask for names. */
      readonly nameserver: string
    }
    /**
     * One that nobody has, mostly prepared before it was asked for. It stays until it is released: neither a scope nor the end of
     * this process takes it away. When this fails nothing is left behind; when it is interrupted neither, though only once it is
     * done: a plugin in the middle is not stopped.
     */
    readonly take: Effect.Effect<WorkerNetwork, NetworkUnavailable>
    /** One that was taken, in this run or an earlier one; none when it is not known, or its namespace is gone. */
    readonly find: (name: string) => Effect.Effect<Option.Option<WorkerNetwork>, NetworkUnavailable>
    /** Fails when it is not any more as it was made. Asks every plugin: some 40 ms. */
    readonly check: (name: string) => Effect.Effect<void, NetworkUnavailable>
    /**
     * Gone when this returns: the namespace with its interfaces, the address, the rules. One that is not known is success. What a
     * failure leaves is removed by the next `reconcile`.
     */
    readonly release: (name: string) => Effect.Effect<void, NetworkUnavailable>
    /**
     * Removes what earlier runs left of this stack's, and what of this run could not be removed, save what is in use. What this
     * run has, makes or removes just now is not touched, so that it may be asked for at any time. Returns how many. What resists
     * is told in the log, and tried again the next time.
     */
    readonly reconcile: (inUse: ReadonlySet<string>) => Effect.Effect<number, NetworkUnavailable>
  }
>()("esb/services/Cni") {}
