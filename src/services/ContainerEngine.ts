/** What an engine of containers has to be able to do, so that workers can live in its containers. */
import { Context, type Effect, type Result, type Scope } from "effect"
import type { ContainerExit, ContainerUsage } from "#domain/HeldContainer"
import type { LabelledWorker } from "#domain/StackIdentity"
import type { OwnerId, WorkerSpec } from "#domain/Worker"
import type { WorkerSettings } from "#domain/WorkerSettings"
import type { Door, FormerDoor } from "./RuntimeApi.ts"

/** Why an engine has not done something. Each has failures of its own, of which all understand this much. */
export interface EngineFailure {
  readonly _tag: string
  readonly message: string
  /** `refused`: it said no. `unreached`: it has not heard the request. `lost`: nobody knows whether it has. */
  readonly kind?: "refused" | "unreached" | "lost"
}

/** A container that is to be made. */
export interface ContainerOrder {
  readonly name: string
  readonly spec: WorkerSpec
  readonly owner: OwnerId
  readonly memoryMiB: number
  /** Of its log. */
  readonly logStream: string
  /** Takes what it writes, and is told how it ends. */
  readonly door: Door
  /** Where it is told that its door is; `undefined`: it is told of none. */
  readonly told: { readonly endpoint: string; readonly token: string } | undefined
  readonly extensionNames: ReadonlyArray<string>
}

/** One container of ours, from before it runs until nothing is left of it. */
export interface EngineContainer {
  readonly name: string
  readonly door: Door
  /** Of the network that was made for it alone, if one was. */
  readonly networkName: string | undefined
  /** There once it has ended, and what it wrote has been read. */
  readonly exit: ContainerExit | undefined
  /** The kernel has killed in it for want of memory. */
  wasOutOfMemory: boolean
  /** Nothing is left of it. */
  readonly isRemoved: boolean
  /** It is a worker, and outlives this process. Until then it goes with the scope in which it was made. */
  stays: boolean
  /** Runs when this returns, at the address that its door admits; one that has ended already may have none. */
  readonly run: Effect.Effect<string, EngineFailure>
  /** Looks whether it has ended, which its door is told then. `true`: it is seen to stand frozen, whoever has done it. */
  readonly look: Effect.Effect<boolean, EngineFailure>
  /** Stands still when this returns; twice is success. Of one that has ended it is known then, whether this fails or not. */
  readonly freeze: Effect.Effect<void, EngineFailure>
  /** Runs on when this returns; likewise. */
  readonly thaw: Effect.Effect<void, EngineFailure>
  /** Returns when its first process, and so all of it, has ended. Nobody waits for it longer than this. */
  readonly ended: (limitMs: number) => Effect.Effect<unknown, EngineFailure>
  /** Gone when this returns, with all that was made for it. Twice is success. */
  readonly remove: Effect.Effect<void, EngineFailure>
  /** What it uses now, while it runs. */
  readonly usage: Effect.Effect<ContainerUsage, EngineFailure>
  /** Tells its door how much memory it uses now; of one that has ended, or whose engine is away, nothing. */
  readonly measure: Effect.Effect<void>
  /** Whether measuring it costs so much that it is better done seldom, and for one at a time. */
  readonly isDearToMeasure: () => boolean
  /** From now on it gets no more than `quota` of every `period`, both in microseconds. */
  readonly limitCpu: (quota: number, period: number) => Effect.Effect<void, EngineFailure>
  /**
   * Starts an external extension of its image, which runs when this returns. `ended` waits for its exit code: `undefined` where
   * nobody knows it, as of a container that is gone. `index` tells it from others of the container.
   */
  readonly startExtension: (
    name: string,
    index: number
  ) => Effect.Effect<{ readonly ended: Effect.Effect<number | undefined> }, EngineFailure>
  /** One of its extensions has ended by itself: if it still runs, it has failed by that, and ends. */
  readonly failBy: (extension: string, code: number) => Effect.Effect<void>
}

/** An image that the engine has. */
export interface EngineImage {
  /** The same for the same content. */
  readonly digest: string
  /** What it starts, with its arguments. */
  readonly entrypoint: ReadonlyArray<string>
  /**
   * Sorted names of the programs that AWS's platform starts beside the runtime. A container of this name, which nobody else has,
   * may be made to look into, and is gone when this returns.
   */
  readonly extensionNames: (name: string) => Effect.Effect<ReadonlyArray<string>, EngineFailure>
  /** Everything but running when this returns. Whatever fails, nothing is left; what is made goes with the scope, unless it stays. */
  readonly prepare: (order: ContainerOrder) => Effect.Effect<EngineContainer, EngineFailure, Scope.Scope>
}

/** A container that runs, and was a worker of an earlier run. */
export interface FormerContainer extends LabelledWorker {
  readonly settings: WorkerSettings
  /** `undefined`: it was told of none. */
  readonly door: FormerDoor | undefined
  readonly imageDigest: string
  readonly entrypoint: ReadonlyArray<string>
  /** Where it is in its network. */
  readonly address: string
  /** It stands frozen, as its owner may know it. */
  readonly isPaused: boolean
  readonly createdAtUnixSeconds: number
  /** Running and heard when this returns, also where it stood frozen: its runtime client has to find out that its poll is lost. */
  readonly takeOver: (door: Door) => Effect.Effect<EngineContainer, EngineFailure, Scope.Scope>
}

/** A container of this stack, whoever has made it. */
export interface FoundContainer {
  readonly name: string
  /**
   * What it was to an earlier run, or why nobody can take it over. `undefined`: nothing is known of it now, and the collection
   * has to see to it.
   */
  readonly read: Effect.Effect<Result.Result<FormerContainer, string> | undefined, EngineFailure>
  /** Gone when this returns. */
  readonly remove: Effect.Effect<void, EngineFailure>
}

/** Who wants to know what becomes of containers, by their names; those of others are heard of as well. None of this blocks. */
export interface ContainerListener {
  /** Everything from now on is heard: asked for whenever the engine is listened to anew. */
  readonly onConnected: Effect.Effect<void>
  readonly onEnd: (name: string) => void
  /** Whoever has done it. Not every engine tells. */
  readonly onFrozen: (name: string) => void
  /** The kernel has killed in it for want of memory. Others tell that with its end. */
  readonly onOutOfMemory: (name: string) => void
}

/** Containers of one stack at one engine. */
export class ContainerEngine extends Context.Service<
  ContainerEngine,
  {
    /** What sentences call it. */
    readonly title: string
    /** `false`: it did not answer when it was last asked. */
    readonly isReachable: () => boolean
    /** Fetched where the engine lacks it, as its settings say. */
    readonly image: (reference: string) => Effect.Effect<EngineImage, EngineFailure>
    /** All of this stack's that there are. */
    readonly list: Effect.Effect<ReadonlyArray<FoundContainer>, EngineFailure>
    /** Listens for ever. A connection that breaks is made anew. */
    readonly listen: (listener: ContainerListener) => Effect.Effect<never>
    /** Removes the networks of this stack that were made for single containers, save these and those that are being made. */
    readonly removeNetworks: (inUse: ReadonlySet<string>) => Effect.Effect<void, EngineFailure>
  }
>()("esb/services/ContainerEngine") {}
