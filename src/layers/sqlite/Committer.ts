/** Requests to one store that are committed together. Runs in the SQLite thread. */
import type { Answer, Handlers, Operation, RequestOf, ThreadFailure } from "./Protocol.ts"

export interface Store<K extends Operation> {
  /** What it can be asked. */
  readonly handlers: Handlers<K>
  /** All of `work` is on disk when this returns, or nothing of it. */
  readonly atomically: <A>(work: () => A) => A
  /** One small step of keeping within the limits; true when there is more to do. */
  readonly tend: () => boolean
  readonly close: () => void
}

/** A failure that names its file. */
export const failureOf = (path: string, error: unknown): ThreadFailure => ({
  detail: `${path}: ${error instanceof Error ? error.message : String(error)}`,
  cause: error
})

export class Committer<K extends Operation> {
  readonly path: string
  private readonly store: Store<K>
  private waiting: Array<RequestOf<K>> = []
  private mustTend = true

  constructor(path: string, store: Store<K>) {
    this.path = path
    this.store = store
  }

  get isIdle(): boolean {
    return this.waiting.length === 0 && !this.mustTend
  }

  add(request: RequestOf<K>) {
    this.waiting.push(request)
  }

  /** Answers up to `limit` requests in the order they were made, after the one commit that holds them all. */
  commit(limit: number): ReadonlyArray<Answer> {
    const batch = this.waiting.splice(0, limit)
    if (batch.length > 0) this.mustTend = true
    return batch.length === 0 ? [] : this.attempt(batch)
  }

  tend() {
    if (!this.mustTend) return
    try {
      this.mustTend = this.store.tend()
    } catch {
      // Nobody asked for this step, so nobody is told: whatever is wrong with the file fails the next request as well.
      this.mustTend = false
    }
  }

  /** From now on there may be something that is too old. */
  remindToTend() {
    this.mustTend = true
  }

  close() {
    this.store.close()
  }

  /**
   * When the whole batch fails, each request is tried alone: a disk that is too full for one event may still take the
   * settlement of another.
   */
  private attempt(batch: ReadonlyArray<RequestOf<K>>): ReadonlyArray<Answer> {
    try {
      return this.store.atomically(() => batch.map((request) => this.answer(request)))
    } catch (error) {
      const [only] = batch
      if (only !== undefined && batch.length === 1)
        return [{ number: only.number, failure: failureOf(this.path, error) }]
      return batch.flatMap((request) => this.attempt([request]))
    }
  }

  private answer<N extends K>(request: RequestOf<N>): Answer {
    return { number: request.number, value: this.store.handlers[request.operation](request.ask) }
  }
}
