/** The one thread in which every SQLite file of this process is read and written. */
import { Context, Effect, Layer } from "effect"
import type { StorageUnavailable } from "#domain/Failure"
import type { Ask, Operation, Reply } from "./Protocol.ts"
import { type Call, Thread } from "./Thread.ts"

/** A thread that ended by itself is not replaced sooner than this after its start. */
const restartAfterMs = 1_000

type Opening = "openEvents" | "openLogs"

export class Sqlite extends Context.Service<
  Sqlite,
  {
    /** Opens a file now, and again with what `ask` says then whenever the thread had to be replaced. */
    readonly open: <K extends Opening>(operation: K, ask: () => Ask<K>) => Effect.Effect<void, StorageUnavailable>
    /** Interruption does not call the operation back; its reply then goes to `unwanted`. */
    readonly call: <K extends Operation>(
      operation: K,
      ask: Ask<K>,
      more?: Pick<Call<K>, "payload" | "unwanted">
    ) => Effect.Effect<Reply<K>, StorageUnavailable>
    /** The same without a fiber. */
    readonly send: <K extends Operation>(call: Call<K>) => void
  }
>()("esb/layers/sqlite/Sqlite") {}

/** The thread there is now, and the files that the next one would have to open. */
class Threads {
  private current: Thread | undefined
  private startedAtMs = 0
  private isClosed = false
  private readonly openings: Array<(thread: Thread) => void> = []

  open<K extends Opening>(operation: K, ask: () => Ask<K>, answered: Call<K>["answered"]) {
    this.send({ operation, ask: ask(), answered })
    // Nobody waits for the later answers: when the file cannot be opened again, every call to it says why.
    this.openings.push((thread) => thread.send({ operation, ask: ask(), answered: () => {} }))
  }

  send<K extends Operation>(call: Call<K>): () => void {
    return this.thread().send(call)
  }

  async close() {
    this.isClosed = true
    await this.current?.close()
  }

  /** The running thread, else a new one, or the ended one when it is too early for that. */
  private thread(): Thread {
    if (this.current !== undefined) {
      const isEarly = performance.now() < this.startedAtMs + restartAfterMs
      if (this.current.ended === undefined || this.isClosed || isEarly) return this.current
    }
    const thread = new Thread()
    this.current = thread
    this.startedAtMs = performance.now()
    for (const open of this.openings) open(thread)
    return thread
  }
}

/**
 * When the thread dies, every pending call fails with `StorageUnavailable`, and the next one starts another thread.
 * Closing the layer finishes everything that was asked for before.
 */
export const layer = Layer.effect(
  Sqlite,
  Effect.gen(function* () {
    const threads = yield* Effect.acquireRelease(
      Effect.sync(() => new Threads()),
      (threads) => Effect.promise(() => threads.close())
    )
    return Sqlite.of({
      open: (operation, ask) => Effect.callback((resume) => threads.open(operation, ask, resume)),
      call: (operation, ask, more) =>
        Effect.callback((resume) => {
          const abandon = threads.send({ operation, ask, ...more, answered: resume })
          return more?.unwanted === undefined ? undefined : Effect.sync(abandon)
        }),
      send: (call) => void threads.send(call)
    })
  })
)
