/** Which starts run now: those that a caller waits for at once, those that fill up a minimum a few at a time. */
import { Effect } from "effect"
import type { Worker, WorkerSpec } from "#domain/Worker"
import type { BorrowFailure } from "#services/WorkerPool"
import type { Hands, Lane } from "./Lane.ts"

/** Starts at once, over all functions, that nobody waits for. When an engine comes back, every minimum is missing. */
const mostFilling = 4

/** `awaited`: a caller waits for the worker; else it fills up the minimum. */
export type StartOne = (lane: Lane, spec: WorkerSpec, awaited: boolean) => Effect.Effect<Worker, BorrowFailure>

interface Start {
  readonly lane: Lane
  readonly spec: WorkerSpec
}

export class Starts {
  private readonly queue = new Set<Start>()
  /** Those that run. */
  private readonly running = new Map<Start, { readonly awaited: boolean }>()
  private readonly start: StartOne
  private readonly fork: Hands["fork"]

  constructor(start: StartOne, fork: Hands["fork"]) {
    this.start = start
    this.fork = fork
  }

  /** The lane hears of the outcome. */
  request(lane: Lane, spec: WorkerSpec): void {
    this.queue.add({ lane, spec })
    this.hurry(lane)
    this.fill()
  }

  /** Begins what was asked for until every caller in the queue of this lane has a start of its own. */
  hurry(lane: Lane): void {
    for (const start of this.queue) {
      if (this.underWay(lane) >= lane.state.waiting.length) {
        return
      }
      if (start.lane === lane) {
        this.begin(start, true)
      }
    }
  }

  /** The function of this lane has changed: what has not begun is not wanted any more. */
  forget(lane: Lane): void {
    for (const start of this.queue) {
      if (start.lane === lane) {
        this.queue.delete(start)
      }
    }
  }

  /** A worker of the function as it was before it changed is for nobody. */
  private underWay(lane: Lane): number {
    const { specHash } = lane.state
    return [...this.running.keys()].filter((start) => start.lane === lane && start.spec.specHash === specHash).length
  }

  private fill(): void {
    for (const start of this.queue) {
      if ([...this.running.values()].filter(({ awaited }) => !awaited).length < mostFilling) {
        this.begin(start, false)
      }
    }
  }

  private begin(start: Start, awaited: boolean): void {
    const { lane, spec } = start
    this.queue.delete(start)
    this.running.set(start, { awaited })
    this.fork(
      Effect.match(this.start(lane, spec, awaited), {
        onSuccess: (worker) => this.end(start, () => lane.started(worker)),
        onFailure: (failure) => this.end(start, () => lane.startFailed(spec.specHash, failure))
      })
    )
  }

  /** The lane may ask for the next start when it hears of this one, which must not count any more. */
  private end(start: Start, tell: () => void): void {
    this.running.delete(start)
    tell()
    this.fill()
  }
}
