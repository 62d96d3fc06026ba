/** What a queue on a disk does when its disk, its file or its thread misbehaves. */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, Fiber, Layer, Schedule } from "effect"
import type { FunctionName } from "#domain/FunctionName"
import * as Sqlite from "#layers/sqlite/Sqlite"
import * as SqliteEventQueue from "#layers/sqlite/SqliteEventQueue"
import { EventQueue } from "#services/EventQueue"
import { event } from "./EventQueueContract.ts"

const hello = "hello" as FunctionName
const now = Date.now()

const scratch = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "esb-event-queue-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
)

type Queue = EventQueue["Service"]

/** Opens the queue of a directory for as long as `use` takes. */
const withQueue = <A, E>(
  stateDirectory: string,
  use: (queue: Queue, sqlite: Sqlite.Sqlite["Service"]) => Effect.Effect<A, E>,
  options: Partial<SqliteEventQueue.Options> = {}
) =>
  Effect.gen(function* () {
    return yield* use(yield* EventQueue, yield* Sqlite.Sqlite)
  }).pipe(Effect.provide(SqliteEventQueue.layer({ stateDirectory, ...options }).pipe(Layer.provideMerge(Sqlite.layer))))

/** Why the queue of a directory cannot be opened. */
const refusalOf = (stateDirectory: string) => Effect.flip(withQueue(stateDirectory, () => Effect.void))

/** The thread has no answer to this and ends, as by a fault of its own. */
const kill = (sqlite: Sqlite.Sqlite["Service"]) =>
  sqlite.send({ operation: "openEvents", ask: undefined as never, answered: () => {} })

const idsIn = (queue: Queue) => Effect.map(queue.list(1_000), (events) => events.map(({ id }) => id).toSorted())

describe("EventQueue (SQLite) in trouble", () => {
  it.live("a full disk refuses an event, keeps what it has, and takes events again when others are done", () =>
    Effect.gen(function* () {
      const directory = yield* scratch
      yield* withQueue(
        directory,
        (queue) =>
          Effect.gen(function* () {
            const large = (id: string) => queue.enqueue(event(id, { payload: new Uint8Array(50_000) }))
            const ids = Array.from({ length: 20 }, (_, index) => `event-${index}`)
            const outcomes = yield* Effect.forEach(ids, (id) => Effect.result(large(id)), { concurrency: "unbounded" })
            const accepted = ids.filter((_, index) => outcomes[index]?._tag === "Success")
            const refused = outcomes.flatMap((outcome) => (outcome._tag === "Failure" ? [outcome.failure] : []))
            assert.isAbove(accepted.length, 0)
            assert.isAbove(refused.length, 0)
            for (const refusal of refused) {
              assert.strictEqual(refusal._tag, "StorageUnavailable")
              assert.include(refusal.message, join(directory, "queue.db"))
              assert.include(refusal.message, "full")
            }
            assert.deepStrictEqual(yield* idsIn(queue), accepted.toSorted())

            const claimed = yield* queue.claim(hello, 100, now)
            yield* Effect.forEach(claimed, ({ id }) => queue.settle(id, { _tag: "Done" }), { concurrency: "unbounded" })
            yield* large("again")
          }),
        { maxFileBytes: 400_000 }
      )
      assert.deepStrictEqual(yield* withQueue(directory, idsIn), ["again"])
    })
  )

  it.live("one event that the disk cannot take does not refuse those that came with it", () =>
    Effect.gen(function* () {
      const directory = yield* scratch
      yield* withQueue(
        directory,
        (queue) =>
          Effect.gen(function* () {
            const outcomes = yield* Effect.all(
              [
                Effect.result(queue.enqueue(event("small"))),
                Effect.result(queue.enqueue(event("huge", { payload: new Uint8Array(1_000_000) }))),
                Effect.result(queue.enqueue(event("smaller")))
              ],
              { concurrency: "unbounded" }
            )
            assert.deepStrictEqual(
              outcomes.map(({ _tag }) => _tag),
              ["Success", "Failure", "Success"]
            )
            assert.deepStrictEqual(yield* idsIn(queue), ["small", "smaller"])

            // What was refused does not count: there is room for a third event.
            for (let times = 0; times < 5; times++) {
              const refusal = yield* Effect.flip(queue.enqueue(event("huge", { payload: new Uint8Array(1_000_000) })))
              assert.strictEqual(refusal._tag, "StorageUnavailable")
            }
            yield* queue.enqueue(event("third"))
          }),
        { maxFileBytes: 400_000, limits: { maxEvents: 3 } }
      )
    })
  )

  it.live("a file that is no database is refused by name and left as it is", () =>
    Effect.gen(function* () {
      const directory = yield* scratch
      const path = join(directory, "queue.db")
      writeFileSync(path, "precious but unreadable ".repeat(1_000))
      const before = readFileSync(path)
      const refusal = yield* refusalOf(directory)
      assert.strictEqual(refusal._tag, "StorageUnavailable")
      assert.include(refusal.message, path)
      assert.deepStrictEqual(readFileSync(path), before)
    })
  )

  it.live("a file with a damaged page is refused by name", () =>
    Effect.gen(function* () {
      const directory = yield* scratch
      const path = join(directory, "queue.db")
      yield* withQueue(directory, (queue) => queue.enqueue(event("a")))
      const bytes = readFileSync(path)
      writeFileSync(path, bytes.fill(0xff, 4_096))
      const refusal = yield* refusalOf(directory)
      assert.include(refusal.message, path)
    })
  )

  it.live("a file that lost its content, but not its log of changes, is refused by name", () =>
    Effect.gen(function* () {
      const directory = yield* scratch
      const path = join(directory, "queue.db")
      yield* withQueue(directory, () => Effect.void)
      truncateSync(path, 0)
      writeFileSync(`${path}-wal`, "changes")
      const refusal = yield* refusalOf(directory)
      assert.include(refusal.message, path)
      assert.strictEqual(readFileSync(`${path}-wal`, "utf8"), "changes")
    })
  )

  it.live("a file of a newer version is refused with both versions", () =>
    Effect.gen(function* () {
      const directory = yield* scratch
      const path = join(directory, "queue.db")
      yield* withQueue(directory, (queue) => queue.enqueue(event("a")))
      const newer = new DatabaseSync(path)
      newer.exec("PRAGMA user_version = 7")
      newer.close()
      const refusal = yield* refusalOf(directory)
      assert.include(refusal.message, `${path}: the file was written by a newer version (format 7; this one knows 1)`)
    })
  )

  it.live("a database of another program is refused", () =>
    Effect.gen(function* () {
      const directory = yield* scratch
      const path = join(directory, "queue.db")
      const foreign = new DatabaseSync(path)
      foreign.exec("CREATE TABLE theirs (a)")
      foreign.close()
      const before = readFileSync(path)
      const refusal = yield* refusalOf(directory)
      assert.include(refusal.message, `${path}: the file belongs to another program`)
      assert.deepStrictEqual(readFileSync(path), before)
    })
  )

  it.live("a directory that is not there is refused by name", () =>
    Effect.gen(function* () {
      const refusal = yield* refusalOf(join(yield* scratch, "nowhere"))
      assert.include(refusal.message, "nowhere/queue.db")
    })
  )

  it.live("a queue that is open is not opened a second time", () =>
    Effect.gen(function* () {
      const directory = yield* scratch
      const refusal = yield* withQueue(directory, () =>
        Effect.scoped(
          Layer.build(
            Layer.fresh(
              SqliteEventQueue.layer({ stateDirectory: directory }).pipe(Layer.provide(Layer.fresh(Sqlite.layer)))
            )
          )
        ).pipe(Effect.flip)
      )
      assert.include(refusal.message, "locked")
    })
  )

  it.live("what was asked for before the close is done by the close", () =>
    Effect.gen(function* () {
      const directory = yield* scratch
      const ids = Array.from({ length: 50 }, (_, index) => `event-${index + 10}`)
      const fibers = yield* withQueue(directory, (queue) =>
        Effect.forEach(ids, (id) => Effect.forkDetach(queue.enqueue(event(id)), { startImmediately: true }))
      )
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(yield* withQueue(directory, idsIn), ids)
    })
  )

  it.live("a closed queue refuses", () =>
    Effect.gen(function* () {
      const closed = yield* withQueue(yield* scratch, Effect.succeed)
      const refusal = yield* Effect.flip(closed.enqueue(event("a")))
      assert.include(refusal.message, "the store is closed")
    })
  )

  it.live("when the thread dies its calls fail, and its successor knows which events are still being worked on", () =>
    Effect.gen(function* () {
      const directory = yield* scratch
      yield* withQueue(directory, (queue, sqlite) =>
        Effect.gen(function* () {
          yield* queue.recover
          yield* queue.enqueue(event("worked-on"))
          yield* queue.claim(hello, 1, now)
          yield* queue.enqueue(event("unreceived"))
          yield* sqlite.call("claim", { functionName: hello, limit: 1, nowUnixMs: now })

          const pending = yield* Effect.forkChild(Effect.flip(queue.enqueue(event("lost"))), { startImmediately: true })
          kill(sqlite)
          const refusal = yield* Fiber.join(pending)
          assert.strictEqual(refusal._tag, "StorageUnavailable")
          assert.include(refusal.message, "the thread that stores it ended")

          const patiently = Schedule.spaced("50 millis").pipe(Schedule.upTo({ times: 100 }))
          yield* Effect.retry(queue.enqueue(event("after")), patiently)
          const claimed = yield* queue.claim(hello, 10, now)
          assert.deepStrictEqual(
            claimed.map(({ id }) => id),
            ["unreceived", "after"]
          )
          yield* queue.settle("worked-on", { _tag: "Done" })
          assert.deepStrictEqual(yield* idsIn(queue), ["after", "unreceived"])
        })
      )
    })
  )

  it.live("a claim that is answered too late takes nothing", () =>
    Effect.gen(function* () {
      const directory = yield* scratch
      vi.useFakeTimers({ toFake: ["setInterval"] })
      yield* Effect.addFinalizer(() => Effect.sync(() => vi.useRealTimers()))
      yield* withQueue(directory, (queue) =>
        Effect.gen(function* () {
          yield* queue.enqueue(event("a"))
          const claiming = yield* Effect.forkChild(Effect.flip(queue.claim(hello, 1, now)), { startImmediately: true })
          vi.advanceTimersByTime(32_000)
          const refusal = yield* Fiber.join(claiming)
          assert.include(refusal.message, "no answer within 30 s")
          const again = yield* queue
            .claim(hello, 1, now)
            .pipe(Effect.repeat({ until: (events) => events.length > 0, times: 100 }))
          assert.deepStrictEqual(
            again.map(({ id }) => id),
            ["a"]
          )
        })
      )
    })
  )

  it.live("calls beyond what may wait are refused at once, and the others are answered", () =>
    Effect.gen(function* () {
      const directory = yield* scratch
      yield* withQueue(directory, (queue) =>
        Effect.gen(function* () {
          const calls = Array.from({ length: 20_001 }, () => Effect.result(queue.list(1)))
          const outcomes = yield* Effect.all(calls, { concurrency: "unbounded" })
          const refused = outcomes.filter(({ _tag }) => _tag === "Failure")
          assert.strictEqual(refused.length, 1)
          assert.deepStrictEqual(yield* queue.list(1), [])
        })
      )
    })
  )
})
