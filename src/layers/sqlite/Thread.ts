/** One SQLite thread, seen from the main thread: its calls, their answers, its end. */
import { Worker } from "node:worker_threads"
import { Exit } from "effect"
import { StorageUnavailable } from "#domain/Failure"
import type { Answer, Ask, FromThread, Operation, Reply, Request, ToThread } from "./Protocol.ts"

/** Beside this module when it runs from its source, beside the bundle when it is part of one. */
const entry = new URL(import.meta.url.endsWith(".ts") ? "./SqliteThread.ts" : "./sqlite-thread.js", import.meta.url)

/** Calls without an answer; one more fails at once. */
const maxPendingCalls = 20_000
/** Payload bytes of those calls. */
const maxPendingBytes = 256 * 1024 ** 2
/** A call without an answer for this long fails; a disk that hangs must not hang its callers. */
const answerWithinSeconds = 30
/** What the thread may take to finish its work and close its files; then it is ended. */
const closeWithinMs = 10_000
/** JavaScript objects of the thread; payloads and SQLite's own memory are not among them. */
const maxThreadHeapMiB = 512

export interface Call<K extends Operation> {
  readonly operation: K
  readonly ask: Ask<K>
  /** Bytes of `ask` that move to the thread: the caller has no use for them any more. */
  readonly payload?: Uint8Array<ArrayBuffer>
  /** Called once, with the reply or the reason why there is none. */
  readonly answered: (exit: Exit.Exit<Reply<K>, StorageUnavailable>) => void
  /** Nobody waits for the answer, so it is never too late. */
  readonly isPatient?: true
  /** The reply came, but the caller has gone or was told that it would not come. */
  readonly unwanted?: (reply: Reply<K>) => void
}

interface Pending {
  readonly answered: (exit: Exit.Exit<unknown, StorageUnavailable>) => void
  readonly unwanted: ((reply: unknown) => void) | undefined
  readonly bytes: number
  /** When it becomes late. */
  readonly lateAtSecond: number
  isAbandoned: boolean
}

export class Thread {
  private readonly worker = new Worker(entry, {
    name: "esb-sqlite",
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: maxThreadHeapMiB }
  })
  private readonly pending = new Map<number, Pending>()
  private outbox: Array<Request> = []
  private payloads: Array<ArrayBuffer> = []
  private pendingBytes = 0
  private calls = 0
  /** Seconds since the start, by a timer: exact enough to find late calls, and free. */
  private second = 0
  private readonly ticking = setInterval(() => this.tick(), 1_000).unref()
  private readonly exited: Promise<void>
  /** Why the thread ended; undefined while it runs. */
  ended: StorageUnavailable | undefined

  constructor() {
    let cause: unknown
    this.worker.on("message", (answers: FromThread) => answers.forEach((answer) => this.receive(answer)))
    this.worker.on("error", (error) => {
      cause = error
    })
    this.exited = new Promise((resolve) => {
      this.worker.on("exit", () => {
        this.end(cause)
        resolve()
      })
    })
  }

  /** The answer comes later, never during this call, unless there is no room to wait for it. Returns how to abandon it. */
  send<K extends Operation>({ operation, ask, payload, isPatient, answered, unwanted }: Call<K>): () => void {
    const bytes = payload?.byteLength ?? 0
    const refusal = this.ended ?? this.overload(bytes)
    if (refusal !== undefined) {
      answered(Exit.fail(refusal))
      return () => {}
    }
    const number = this.calls++
    const pending: Pending = {
      // The thread answers an operation with its reply: both sides are built from the same Operations.
      answered: answered as Pending["answered"],
      unwanted: unwanted as Pending["unwanted"],
      bytes,
      lateAtSecond: isPatient ? Infinity : this.second + answerWithinSeconds,
      isAbandoned: false
    }
    this.pending.set(number, pending)
    this.pendingBytes += bytes
    // What is asked for in one turn of the event loop crosses as one message.
    if (this.outbox.length === 0) setImmediate(() => this.flush())
    this.outbox.push({ number, operation, ask } as Request)
    if (payload !== undefined) this.payloads.push(payload.buffer)
    return () => {
      pending.isAbandoned = true
    }
  }

  /** Resolves when everything asked for is done, the files are closed and the thread has ended. */
  async close(): Promise<void> {
    if (this.ended !== undefined) return
    this.flush()
    this.post("close")
    const deadline = setTimeout(() => void this.worker.terminate(), closeWithinMs)
    await this.exited
    clearTimeout(deadline)
  }

  private overload(bytes: number): StorageUnavailable | undefined {
    const isFull = this.pending.size >= maxPendingCalls || (bytes > 0 && this.pendingBytes + bytes > maxPendingBytes)
    return isFull
      ? new StorageUnavailable({ detail: `${this.pending.size} calls wait for the disk already` })
      : undefined
  }

  private post(message: ToThread, transfer: ReadonlyArray<ArrayBuffer> = []) {
    this.worker.postMessage(message, [...transfer])
  }

  private flush() {
    if (this.outbox.length === 0) return
    this.post(this.outbox, this.payloads)
    this.outbox = []
    this.payloads = []
  }

  private receive(answer: Answer) {
    const pending = this.pending.get(answer.number)
    if (pending === undefined) return
    this.pending.delete(answer.number)
    this.pendingBytes -= pending.bytes
    if ("failure" in answer) {
      if (!pending.isAbandoned) pending.answered(Exit.fail(new StorageUnavailable(answer.failure)))
    } else if (pending.isAbandoned) {
      pending.unwanted?.(answer.value)
    } else {
      pending.answered(Exit.succeed(answer.value))
    }
  }

  /** A late call keeps its place until its answer, because the thread still holds what it sent. */
  private tick() {
    this.second++
    for (const pending of this.pending.values()) {
      if (pending.isAbandoned || this.second <= pending.lateAtSecond) continue
      pending.isAbandoned = true
      const detail = `no answer within ${answerWithinSeconds} s; the disk may still take it later`
      pending.answered(Exit.fail(new StorageUnavailable({ detail })))
    }
  }

  private end(cause: unknown) {
    clearInterval(this.ticking)
    const reason = cause instanceof Error ? `the thread that stores it ended: ${cause.message}` : "the store is closed"
    this.ended = new StorageUnavailable({ detail: reason, ...(cause === undefined ? {} : { cause }) })
    this.outbox = []
    this.payloads = []
    const waiting = [...this.pending.values()]
    this.pending.clear()
    for (const pending of waiting) {
      if (!pending.isAbandoned) pending.answered(Exit.fail(this.ended))
    }
  }
}
