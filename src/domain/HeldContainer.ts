/** What an engine tells of a worker that it holds in a container. */
import type { ContainerStatus, Phase, Worker } from "./Worker.ts"

export interface HeldContainer {
  readonly worker: Pick<Worker, "protocol">
  /** `exit` is there once it has ended. */
  readonly container: { readonly exit: object | undefined }
  /** As its owner wants it, and knows it. */
  readonly isPaused: boolean
  /** Until then an emulator may have the call that its owner was last heard to be about to send. */
  readonly mayBeInCallUntilUnixMs: number
}

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
