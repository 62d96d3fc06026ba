/** A worker: one running copy of a function, able to take one call at a time. */
import { Schema } from "effect"
import type { FunctionName } from "./FunctionName.ts"

/** Names a worker over every wire: with our own engines its name (decision 8), with another Agent whatever that one says. */
export const ContainerId = Schema.NonEmptyString.pipe(Schema.brand("ContainerId"))
export type ContainerId = typeof ContainerId.Type

/** Who started a worker, and therefore who alone may touch it. Stable over restarts of a Gateway. */
export const OwnerId = Schema.NonEmptyString.pipe(Schema.brand("OwnerId"))
export type OwnerId = typeof OwnerId.Type

/** How a worker is spoken to: through our Runtime API, or by HTTP to an emulator inside its image. */
export const Protocol = Schema.Literals(["runtime-api", "rie"])
export type Protocol = typeof Protocol.Type

/** What the engine says of a container. */
export const ContainerStatus = Schema.Literals(["RUNNING", "PAUSED", "STOPPED", "UNKNOWN"])
export type ContainerStatus = typeof ContainerStatus.Type

/**
 * What the worker protocol says of a worker: still starting, waiting for a call, inside one, or (`dirty`) in a state that
 * no further call may meet.
 */
export const Phase = Schema.Literals(["init", "idle", "busy", "dirty"])
export type Phase = typeof Phase.Type

/** All an engine needs to start a worker. Handler, runtime, memory and timeout travel in `environment` under their AWS names. */
export interface WorkerSpec {
  readonly functionName: FunctionName
  /** An image reference, or `artifact:sha256:<64 hex>`. */
  readonly image: string
  readonly environment: Readonly<Record<string, string>>
  /** Digest of everything above: a worker whose hash differs from its function's is outdated. */
  readonly specHash: string
}

/** What `specHash` is a digest of, where nothing else is agreed on: the same for the same worker, in whatever order it is told. */
export const specText = ({ environment, functionName, image }: Omit<WorkerSpec, "specHash">): string =>
  JSON.stringify([functionName, image, Object.entries(environment).toSorted()])

/** A started worker. */
export interface Worker {
  readonly id: ContainerId
  /** `{brand}-{env}-{function}-{8 hex}` */
  readonly name: string
  readonly functionName: FunctionName
  readonly owner: OwnerId
  readonly specHash: string
  readonly protocol: Protocol
  /** Where calls are sent when they travel over a network: the Agent's data door, or the worker's own `:8080`. */
  readonly address: { readonly host: string; readonly port: number }
  readonly createdAtUnixSeconds: number
}

/** A worker as it is lent for one call. */
export interface LentWorker extends Worker {
  /** It is thawed by that call, before its event is handed over. Whoever has borrowed it must send one. */
  readonly isFrozen?: true
}

/** A line of `list`. */
export interface ContainerState extends Worker {
  readonly status: ContainerStatus
  readonly phase: Phase
  readonly lastUsedAtUnixSeconds: number
}

/** One measurement of a container. */
export interface ContainerMetrics {
  readonly containerId: ContainerId
  readonly functionName: FunctionName
  readonly containerName: string
  readonly status: ContainerStatus
  /** Resident bytes of all processes of the worker. */
  readonly memoryBytes: number
  /** The limit in bytes; 0 when there is none. */
  readonly memoryLimitBytes: number
  readonly oomEvents: number
  readonly cpuNanoseconds: number
  readonly exitCode: number
  /** 0 while it runs. */
  readonly exitedAtUnixSeconds: number
  readonly collectedAtUnixSeconds: number
}
