/** A worker that an engine holds in a container, and what the engine tells of it. */
import { type Scope, Semaphore } from "effect"
import type { ContainerExtensions } from "./ContainerExtensions.ts"
import type { ContainerMetrics, ContainerState, ContainerStatus, OwnerId, Phase, Worker } from "./Worker.ts"
import type { ExitStatus } from "./WorkerExit.ts"

/** How a container has ended, and when. */
export interface ContainerExit {
  readonly status: ExitStatus
  readonly code: number
  readonly atUnixSeconds: number
}

/** What a container uses. */
export type ContainerUsage = Pick<ContainerMetrics, "memoryBytes" | "oomEvents" | "cpuNanoseconds">

/** Of one that has ended. */
export const noUsage: ContainerUsage = { memoryBytes: 0, oomEvents: 0, cpuNanoseconds: 0 }

/** What every engine knows of a container. */
interface EndingContainer {
  /** There once it has ended. */
  readonly exit: ContainerExit | undefined
}

/** `C` is what its engine knows of the container. */
export interface HeldContainer<C extends EndingContainer = EndingContainer> {
  readonly worker: Worker
  readonly container: C
  readonly extensions: ContainerExtensions
  readonly memoryLimitBytes: number
  /** How long one call may take. */
  readonly timeoutMs: number
  /** Holds the container and the door. */
  readonly scope: Scope.Closeable
  /** Held by whoever freezes, thaws or removes it. */
  readonly turn: Semaphore.Semaphore
  /** As its owner wants it, and knows it. */
  isPaused: boolean
  /** As it is. */
  isFrozen: boolean
  /** Until then an emulator may have the call that its owner was last heard to be about to send. */
  mayBeInCallUntilUnixMs: number
  lastUsedAtUnixSeconds: number
}

type Settled = "turn" | "isPaused" | "isFrozen" | "mayBeInCallUntilUnixMs" | "lastUsedAtUnixSeconds"

/** One that has just been made, and is in nobody's use. */
export const make = <C extends EndingContainer>(made: Omit<HeldContainer<C>, Settled>): HeldContainer<C> => ({
  ...made,
  turn: Semaphore.makeUnsafe(1),
  isPaused: false,
  isFrozen: false,
  mayBeInCallUntilUnixMs: 0,
  lastUsedAtUnixSeconds: made.worker.createdAtUnixSeconds
})

/** What changes when its owner uses it, or is about to. */
export const usedAt = ({ timeoutMs }: Pick<HeldContainer, "timeoutMs">, nowUnixMs: number) => ({
  lastUsedAtUnixSeconds: Math.floor(nowUnixMs / 1_000),
  mayBeInCallUntilUnixMs: nowUnixMs + timeoutMs
})

/** One of an earlier run, which runs now although its owner may believe it frozen. It may have been given a call just before. */
export const takenOver = <C extends EndingContainer>(
  made: Omit<HeldContainer<C>, Settled>,
  isPaused: boolean,
  nowUnixMs: number
): HeldContainer<C> => ({ ...make(made), isPaused, ...usedAt(made, nowUnixMs) })

export const statusOf = ({ container, isPaused }: HeldContainer): ContainerStatus => {
  if (container.exit !== undefined) return "STOPPED"
  return isPaused ? "PAUSED" : "RUNNING"
}

/** `seen`: what its door knows. What an emulator does in a call nobody sees: it is believed to be in the longest there can be. */
export const phaseOf = (held: HeldContainer, seen: Phase | undefined, nowUnixMs: number): Phase => {
  const { container, isPaused, mayBeInCallUntilUnixMs, worker } = held
  if (container.exit !== undefined) return "dirty"
  if (worker.protocol !== "rie") return seen ?? "dirty"
  return !isPaused && nowUnixMs < mayBeInCallUntilUnixMs ? "busy" : "idle"
}

/** `lastCallAtUnixMs`: what its door knows. */
export const stateOf = (held: HeldContainer, phase: Phase, lastCallAtUnixMs: number | undefined): ContainerState => ({
  ...held.worker,
  status: statusOf(held),
  phase,
  lastUsedAtUnixSeconds: Math.max(held.lastUsedAtUnixSeconds, Math.floor((lastCallAtUnixMs ?? 0) / 1_000))
})

export const metricsOf = (
  held: HeldContainer,
  usage: ContainerUsage,
  wasOutOfMemory: boolean,
  nowUnixMs: number
): ContainerMetrics => ({
  containerId: held.worker.id,
  functionName: held.worker.functionName,
  containerName: held.worker.name,
  status: statusOf(held),
  ...usage,
  memoryLimitBytes: held.memoryLimitBytes,
  oomEvents: Math.max(usage.oomEvents, wasOutOfMemory ? 1 : 0),
  exitCode: held.container.exit?.code ?? 0,
  exitedAtUnixSeconds: held.container.exit?.atUnixSeconds ?? 0,
  collectedAtUnixSeconds: Math.floor(nowUnixMs / 1_000)
})

/** It has ended, or its owner is gone and it is in no call. */
export const isUseless = (
  { container, worker }: HeldContainer,
  phase: Phase,
  isGone: (owner: OwnerId) => boolean
): boolean => container.exit !== undefined || (isGone(worker.owner) && phase !== "busy")
