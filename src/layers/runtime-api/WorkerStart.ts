/** The start of a worker, or its return to a door it had before: the limit, who waits for the end, and what that was. */
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import { InitFailed, WorkerUnreachable } from "#domain/Failure"
import type { PlatformError } from "#domain/WorkerExit"
import type { DoorSpec } from "#services/RuntimeApi"

/** Called once, with what became of the start. */
export type Starting = (outcome: Effect.Effect<void, InitFailed | WorkerUnreachable>) => void

export class WorkerStart {
  /** Names the start where AWS has a request id. */
  readonly id = randomUUID()
  /** Once it has succeeded, where it was seen from the beginning. */
  durationMs: number | undefined
  failure: InitFailed | undefined

  /** It started before this door was opened, and nobody here knows how long that took. */
  readonly isReturn: boolean

  readonly #spec: DoorSpec
  #hasSucceeded = false
  #beganAtMs = performance.now()
  #limit: NodeJS.Timeout | undefined
  #waiting: Array<Starting> = []

  constructor(spec: DoorSpec, isReturn: boolean) {
    this.#spec = spec
    this.isReturn = isReturn
  }

  get isOver(): boolean {
    return this.#hasSucceeded || this.failure !== undefined
  }

  get elapsedMs(): number {
    return performance.now() - this.#beganAtMs
  }

  /** The worker exists from now on. */
  begin(limitMs: number, onOver: () => void): void {
    this.#beganAtMs = performance.now()
    clearTimeout(this.#limit)
    this.#limit = setTimeout(onOver, limitMs)
  }

  /** Returns how to stop waiting. */
  wait(resume: Starting): () => void {
    this.#waiting.push(resume)
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== resume)
    }
  }

  succeed(): void {
    this.#hasSucceeded = true
    if (!this.isReturn) this.durationMs = this.elapsedMs
    this.#end(Effect.void)
  }

  fail(error: Pick<PlatformError, "errorType" | "payload">, logTail: Uint8Array): void {
    const { containerId, functionName } = this.#spec
    const { errorType, payload } = error
    this.failure = new InitFailed({ functionName, containerId, requestId: this.id, errorType, payload, logTail })
    this.#end(Effect.fail(this.failure))
  }

  /** The worker went away, which is nobody's failure to start. */
  abandon(detail: string): void {
    this.#end(Effect.fail(new WorkerUnreachable({ containerId: this.#spec.containerId, detail })))
  }

  #end(outcome: Effect.Effect<void, InitFailed | WorkerUnreachable>): void {
    clearTimeout(this.#limit)
    const waiting = this.#waiting
    this.#waiting = []
    for (const resume of waiting) resume(outcome)
  }
}
