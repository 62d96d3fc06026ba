/** What the engine is asked for, and the limits of everything that waits for it. */
import type { StackIdentity } from "#domain/StackIdentity"
import type { RegistryLogin } from "./DockerImageBuilder.ts"

/** When an image is fetched: before every start, when the engine lacks it, or by nobody here. */
export type PullPolicy = "always" | "if-not-present" | "never"

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
  /** Who the engine says it is at registries; each is told to its registry alone. */
  readonly logins: ReadonlyArray<RegistryLogin>
  /** Images that are fetched at a time, and how long one may take. */
  readonly parallelPulls: number
  readonly pullLimitMs: number
  /** Containers that are started, and removed, at a time. On two processors the engine does eight of them slower than four. */
  readonly parallelStarts: number
  readonly parallelRemovals: number
  /** How often a container that has started is asked for its address, and how long between two questions. */
  readonly addressTries: number
  readonly addressEveryMs: number
  /** Limit for the output of a container that has ended. */
  readonly lastOutputMs: number
  /** How long to wait before the engine's events, or a container's output, are asked for again. */
  readonly reconnectEveryMs: number
}

export type DockerSettings = DockerPlaces & DockerOptions

export const defaults: DockerOptions = {
  pullPolicy: "if-not-present",
  trustDirectory: undefined,
  logins: [],
  parallelPulls: 4,
  pullLimitMs: 600_000,
  parallelStarts: 4,
  parallelRemovals: 4,
  addressTries: 5,
  addressEveryMs: 100,
  lastOutputMs: 200,
  reconnectEveryMs: 250
}
