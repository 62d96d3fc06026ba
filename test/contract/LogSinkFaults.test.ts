/** What a log on a disk does when more is written than it can take, and when its disk or its thread misbehaves. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, Fiber, Layer, Schedule } from "effect"
import * as Sqlite from "#layers/sqlite/Sqlite"
import * as SqliteLogSink from "#layers/sqlite/SqliteLogSink"
import { LogSink } from "#services/LogSink"
import { line } from "./LogSinkContract.ts"

const scratch = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "esb-log-sink-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
)

type Sink = LogSink["Service"]

/** Opens the log of a directory for as long as `use` takes. */
const withSink = <A, E>(
  stateDirectory: string,
  use: (sink: Sink, sqlite: Sqlite.Sqlite["Service"]) => Effect.Effect<A, E>,
  options: Partial<SqliteLogSink.Options> = {}
) =>
  Effect.gen(function* () {
    return yield* use(yield* LogSink, yield* Sqlite.Sqlite)
  }).pipe(Effect.provide(SqliteLogSink.layer({ stateDirectory, ...options }).pipe(Layer.provideMerge(Sqlite.layer))))

/** The thread has no answer to this and ends, as by a fault of its own. */
const kill = (sqlite: Sqlite.Sqlite["Service"]) =>
  sqlite.send({ operation: "openEvents", ask: undefined as never, answered: () => {} })

const lastMessage = (sink: Sink) => Effect.map(sink.query({ limit: 1 }), (lines) => lines.at(-1)?.message)

/** What the newest line says, as soon as it is `expected`; else what it says after all. */
const eventually = (sink: Sink, expected: string) =>
  lastMessage(sink).pipe(
    Effect.repeat({ schedule: Schedule.spaced("50 millis"), until: (message) => message === expected, times: 200 })
  )

describe("LogSink (SQLite) in trouble", () => {
  it.live("more lines than the buffer holds are dropped, counted, and told in one line", () =>
    Effect.gen(function* () {
      yield* withSink(yield* scratch, (sink) =>
        Effect.gen(function* () {
          for (let index = 0; index < 65_536 + 1_000; index++) sink.write(line(`${index}`))
          assert.strictEqual(sink.dropped(), 1_000)
          assert.strictEqual(yield* lastMessage(sink), "65535")
          const told = "1000 log lines were dropped"
          assert.strictEqual(yield* eventually(sink, told), told)
          assert.strictEqual(sink.dropped(), 1_000)
          sink.write(line("after"))
          const newest = yield* sink.query({ limit: 3 })
          assert.deepStrictEqual(
            newest.map(({ message, level, source }) => [message, level, source]),
            [
              ["65535", "INFO", "function"],
              [told, "WARNING", "system"],
              ["after", "INFO", "function"]
            ]
          )
        })
      )
    })
  )

  it.live("a line larger than the buffer is dropped and told", () =>
    Effect.gen(function* () {
      yield* withSink(yield* scratch, (sink) =>
        Effect.gen(function* () {
          sink.write(line("x".repeat(33 * 1024 ** 2)))
          sink.write(line("small"))
          assert.strictEqual(sink.dropped(), 1)
          const told = "1 log lines were dropped"
          assert.strictEqual(yield* eventually(sink, told), told)
        })
      )
    })
  )

  it.live("lines that the disk has no room for are dropped and told as soon as there is room", () =>
    Effect.gen(function* () {
      yield* withSink(
        yield* scratch,
        (sink) =>
          Effect.gen(function* () {
            for (let index = 0; index < 2_000; index++) sink.write(line("x".repeat(1_000)))
            const told = "2000 log lines were dropped"
            assert.strictEqual(yield* eventually(sink, told), told)
            assert.strictEqual(sink.dropped(), 2_000)
          }),
        { maxFileBytes: 400_000 }
      )
    })
  )

  it.live("a disk that hangs makes a query fail and loses no line", () =>
    Effect.gen(function* () {
      vi.useFakeTimers({ toFake: ["setInterval"] })
      yield* Effect.addFinalizer(() => Effect.sync(() => vi.useRealTimers()))
      yield* withSink(yield* scratch, (sink) =>
        Effect.gen(function* () {
          sink.write(line("patient"))
          const querying = yield* Effect.forkChild(Effect.flip(sink.query({ limit: 1 })), { startImmediately: true })
          vi.advanceTimersByTime(32_000)
          assert.include((yield* Fiber.join(querying)).message, "no answer within 30 s")
          assert.strictEqual(yield* lastMessage(sink), "patient")
          assert.strictEqual(sink.dropped(), 0)
        })
      )
    })
  )

  it.live("when the thread dies, the lines it held are told as dropped and later ones are kept", () =>
    Effect.gen(function* () {
      yield* withSink(yield* scratch, (sink, sqlite) =>
        Effect.gen(function* () {
          sink.write(line("kept"))
          assert.strictEqual(yield* lastMessage(sink), "kept")
          kill(sqlite)
          sink.write(line("lost"))
          const failure = yield* Effect.flip(sink.query({ limit: 1 }))
          assert.include(failure.message, "the thread that stores it ended")
          assert.strictEqual(sink.dropped(), 1)
          const told = "1 log lines were dropped"
          const patiently = Schedule.spaced("50 millis").pipe(Schedule.upTo({ times: 100 }))
          yield* Effect.retry(sink.query({ limit: 1 }), patiently)
          assert.strictEqual(yield* eventually(sink, told), told)
          sink.write(line("later"))
          const messages = (yield* sink.query({ limit: 10 })).map(({ message }) => message)
          assert.deepStrictEqual(messages, ["kept", told, "later"])
        })
      )
    })
  )

  it.live("lines written just before the close are there afterwards, and positions go on where they were", () =>
    Effect.gen(function* () {
      const directory = yield* scratch
      const closed = yield* withSink(directory, (sink) =>
        Effect.sync(() => {
          for (let index = 0; index < 1_234; index++) sink.write(line(`${index}`))
          return sink
        })
      )
      closed.write(line("too late"))
      assert.strictEqual(closed.dropped(), 1)
      const before = yield* withSink(directory, (sink) => sink.query({ limit: 10_000 }))
      assert.deepStrictEqual(
        before.map(({ message }) => message),
        Array.from({ length: 1_234 }, (_, index) => `${index}`)
      )
      const last = before.at(-1)?.position ?? 0
      // Everything leaves, but its positions do not come back.
      yield* withSink(
        directory,
        (sink) =>
          Effect.repeat(sink.query({ limit: 1 }), {
            until: (lines) => lines.length === 0,
            schedule: Schedule.spaced("20 millis"),
            times: 200
          }),
        {
          retention: { maxLines: 0 }
        }
      )
      const after = yield* withSink(directory, (sink) => {
        sink.write(line("next"))
        return sink.query({ limit: 10 })
      })
      assert.deepStrictEqual(
        after.map(({ message, position }) => [message, position]),
        [["next", last + 1]]
      )
    })
  )

  it.live("a file that is no log is refused by name", () =>
    Effect.gen(function* () {
      const directory = yield* scratch
      const path = join(directory, "logs.db")
      writeFileSync(path, "precious but unreadable ".repeat(1_000))
      const refusal = yield* Effect.flip(withSink(directory, () => Effect.void))
      assert.strictEqual(refusal._tag, "StorageUnavailable")
      assert.include(refusal.message, path)
    })
  )
})
