/** What only a queue on a disk can promise, proved on real files and with processes that are killed. */
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { FunctionName } from "#domain/FunctionName"
import * as Sqlite from "#layers/sqlite/Sqlite"
import * as SqliteEventQueue from "#layers/sqlite/SqliteEventQueue"
import { EventQueue } from "#services/EventQueue"
import { needs, pathOf } from "#test/support/Engines"

const hello = "hello" as FunctionName
const program = fileURLToPath(new URL("./EventQueueProcess.ts", import.meta.url))

const scratch = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "esb-event-queue-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
)

/** Opens the queue of a directory for as long as `use` takes. */
const withQueue = <A, E>(stateDirectory: string, use: (queue: EventQueue["Service"]) => Effect.Effect<A, E>) =>
  Effect.flatMap(EventQueue, use).pipe(
    Effect.provide(SqliteEventQueue.layer({ stateDirectory }).pipe(Layer.provide(Sqlite.layer)))
  )

/** Runs the program of this test and kills it, `kill -9`, once it has written that many lines. */
const runUntil = (lines: number, ...args: ReadonlyArray<string>) =>
  Effect.callback<ReadonlyArray<string>>((resume) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"] })
    let output = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text
      if (output.split("\n").length > lines) child.kill("SIGKILL")
    })
    // The last line may be half written.
    child.on("close", () => resume(Effect.succeed(output.split("\n").slice(0, -1))))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const told = (lines: ReadonlyArray<string>, what: string) =>
  lines.flatMap((line) => (line.startsWith(`${what} `) ? [line.slice(what.length + 1)] : []))

describe("EventQueue (SQLite) on disk", () => {
  it.live("kill -9 loses no accepted event and brings back no settled one", () =>
    Effect.gen(function* () {
      const directory = yield* scratch
      const accepted = new Set<string>()
      const settled = new Set<string>()
      for (const [round, lines] of [400, 900, 1_500].entries()) {
        const output = yield* runUntil(lines, directory, "everything", `round-${round}-`)
        for (const id of told(output, "accepted")) accepted.add(id)
        for (const id of told(output, "settled")) settled.add(id)
      }
      assert.isAbove(accepted.size, 100)
      assert.isAbove(settled.size, 10)

      const stored = yield* withQueue(directory, (queue) =>
        Effect.gen(function* () {
          const interrupted = yield* queue.recover
          assert.isAtMost(interrupted, 3 * 8)
          return yield* queue.claim(hello, 1_000_000, Date.now())
        })
      )
      const kept = new Set(stored.map(({ id }) => id))
      assert.strictEqual(kept.size, stored.length)
      assert.deepStrictEqual(
        [...settled].filter((id) => kept.has(id)),
        []
      )
      // A settlement may have been stored just before its answer could be told: one in each round.
      const lost = [...accepted].filter((id) => !kept.has(id) && !settled.has(id))
      assert.isAtMost(lost.length, 3)
    })
  )

  it.live(
    "every answer to an enqueue has a flush to the disk before it, and answers of one moment share one",
    () =>
      Effect.gen(function* () {
        const directory = yield* scratch
        const trace = join(directory, "trace")
        yield* Effect.callback<void>((resume) => {
          const calls = ["-f", "-y", "-e", "trace=fdatasync,write", "-o", trace]
          const args = [...calls, process.execPath, program, directory, "batches"]
          const child = spawn(pathOf("strace"), args, { stdio: ["ignore", "ignore", "inherit"] })
          child.on("close", () => resume(Effect.void))
          return Effect.sync(() => child.kill("SIGKILL"))
        })
        let flushes = 0
        let flushesSinceAnswer = 0
        const answered: Array<{ readonly id: string; readonly flushes: number; readonly flushesSinceAnswer: number }> =
          []
        for (const call of readFileSync(trace, "utf8").split("\n")) {
          // A call that another thread interleaves is told in two lines; the second one says that it is over.
          if (/fdatasync(\(\d+<[^>]*queue\.db-wal>\)| resumed>\)).* = 0$/.test(call)) {
            flushes++
            flushesSinceAnswer++
          }
          const id = /write\(1<[^>]*>, "accepted ([\w-]+)/.exec(call)?.[1]
          if (id === undefined) continue
          answered.push({ id, flushes, flushesSinceAnswer })
          flushesSinceAnswer = 0
        }
        const alone = answered.filter(({ id }) => id.startsWith("alone"))
        const together = answered.filter(({ id }) => id.startsWith("together"))
        assert.strictEqual(alone.length, 5)
        assert.strictEqual(together.length, 64)
        for (const { id, flushesSinceAnswer } of alone) assert.isAtLeast(flushesSinceAnswer, 1, id)
        assert.isAtLeast(together[0]?.flushesSinceAnswer ?? 0, 1)
        const shared = (together.at(-1)?.flushes ?? 0) - (alone.at(-1)?.flushes ?? 0)
        assert.isAtMost(shared, 8)
      }),
    needs("strace")
  )
})
