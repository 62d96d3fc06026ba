/**
 * What is known of the workers behind emulators. An emulator dies of a second call at a time, and of the first one after a
 * caller who did not wait for his answer, so both are refused here.
 */
import type { ContainerId } from "#domain/Worker"

export class EmulatedWorker {
  /** It has accepted a connection. */
  isReached = false
  /** It has answered a call. */
  hasAnswered = false
  /** Why no further call may meet it. */
  spoilt: string | undefined
  #call: "none" | "connecting" | "handed over" = "none"

  get isCalled(): boolean {
    return this.#call !== "none"
  }

  /** Why it cannot take a call now; from here on it has one if it can. */
  take(): string | undefined {
    if (this.spoilt !== undefined) return this.spoilt
    if (this.isCalled) return "it has a call already"
    this.#call = "connecting"
    return undefined
  }

  /** The first byte of its call is about to leave. */
  handOver(): void {
    this.#call = "handed over"
    this.isReached = true
  }

  /** Nobody waits any more. A call that was handed over and has not ended goes on in there. */
  leave(): void {
    if (this.#call === "handed over") this.spoil("it was left in the middle of a call")
    this.#call = "none"
  }

  answered(): void {
    this.hasAnswered = true
    this.#call = "none"
  }

  spoil(why: string): void {
    this.spoilt ??= why
    this.#call = "none"
  }
}

export class EmulatedWorkers {
  readonly #workers = new Map<ContainerId, EmulatedWorker>()
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  find(id: ContainerId): EmulatedWorker | undefined {
    return this.#workers.get(id)
  }

  get(id: ContainerId): EmulatedWorker {
    const worker = this.#workers.get(id) ?? new EmulatedWorker()
    // The one that was looked at last goes to the end.
    this.#workers.delete(id)
    this.#workers.set(id, worker)
    if (this.#workers.size > this.#limit) this.#forgetOldest()
    return worker
  }

  /** Ids are never given twice, so that what is forgotten here is nearly always gone. */
  #forgetOldest(): void {
    for (const [id, worker] of this.#workers) {
      if (worker.isCalled) continue
      this.#workers.delete(id)
      return
    }
  }
}
