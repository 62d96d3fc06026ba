/**
 * How many events can be accepted, how long does one wait for its flush, and what do events and log lines cost the main
 * thread? First the floor: the same disk, asked by SQLite alone.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Effect, Layer } from "effect"
import type { FunctionName } from "#domain/FunctionName"
import * as Sqlite from "#layers/sqlite/Sqlite"
import * as SqliteEventQueue from "#layers/sqlite/SqliteEventQueue"
import * as SqliteLogSink from "#layers/sqlite/SqliteLogSink"
import { EventQueue } from "#services/EventQueue"
import { LogSink } from "#services/LogSink"
import { figure, heading } from "./parts/Figures.ts"

const runMs = 3_000
const payload = new Uint8Array(1_024).fill(120)
const functionName = "hello" as FunctionName

const report = (what: string, latencies: ReadonlyArray<number>, elapsedMs: number, more = "") => {
  const { p50, p99, count } = figure(what, latencies)
  const rate = Math.round((count / elapsedMs) * 1_000)
  const spread = `p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`
  console.log(`  ${what.padEnd(44)} ${String(rate).padStart(7)}/s  ${spread}  (${count})${more}`)
}

/** What the main thread alone computed since `before`. */
const mainThreadMicros = (before?: NodeJS.CpuUsage) => {
  const { user, system } = process.threadCpuUsage(before)
  return user + system
}

const floor = (directory: string, perCommit: number) => {
  const database = new DatabaseSync(join(directory, `floor-${perCommit}.db`))
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = full; CREATE TABLE t (id TEXT UNIQUE, payload BLOB)")
  const insert = database.prepare("INSERT INTO t VALUES (?, ?)")
  const latencies: Array<number> = []
  const start = performance.now()
  for (let at = start; at < start + runMs; at = performance.now()) {
    database.exec("BEGIN IMMEDIATE")
    for (let index = 0; index < perCommit; index++) insert.run(`${latencies.length}-${index}`, payload)
    database.exec("COMMIT")
    const took = performance.now() - at
    for (let index = 0; index < perCommit; index++) latencies.push(took)
  }
  report(`floor: SQLite alone, ${perCommit} per commit`, latencies, performance.now() - start)
  database.close()
}

const enqueueing = (callers: number) =>
  Effect.gen(function* () {
    const queue = yield* EventQueue
    const latencies: Array<number> = []
    const before = process.threadCpuUsage()
    const start = performance.now()
    let count = 0
    const caller = Effect.gen(function* () {
      while (performance.now() < start + runMs) {
        const at = performance.now()
        yield* queue.enqueue({
          id: `${callers}-${count++}`,
          functionName,
          payload,
          traceId: "Root=1-65535353-0123456789abcdef01234567;Sampled=1",
          clientContext: undefined,
          invokedArn: "arn:aws:lambda:us-east-1:123456789012:function:hello",
          acceptedAtUnixMs: Date.now()
        })
        latencies.push(performance.now() - at)
      }
    })
    yield* Effect.all(
      Array.from({ length: callers }, () => caller),
      { concurrency: "unbounded", discard: true }
    )
    const micros = (mainThreadMicros(before) / count).toFixed(1)
    return { latencies, elapsedMs: performance.now() - start, cost: `  main thread ${micros} µs each` }
  })

const logLine = (index: number) => ({
  atUnixMs: Date.now(),
  source: "function" as const,
  level: "INFO" as const,
  message: `2026-01-01T00:00:00.000Z a line of ordinary length that a function wrote, number ${index}`,
  functionName,
  containerName: "esb-dev-hello-0badcafe",
  requestId: "8a3c2c8e-1f0b-4b1f-9a70-0242ac120002",
  traceId: "Root=1-65535353-0123456789abcdef01234567"
})

/** Writes lines at a steady rate until interrupted. */
const logging = (perSecond: number) =>
  Effect.gen(function* () {
    const sink = yield* LogSink
    let index = 0
    while (true) {
      for (let count = 0; count < perSecond / 100; count++) sink.write(logLine(index++))
      yield* Effect.sleep("10 millis")
    }
  })

const writing = (perSecond: number) =>
  Effect.gen(function* () {
    const sink = yield* LogSink
    const turns = runMs / 10
    const idle = process.threadCpuUsage()
    for (let turn = 0; turn < turns; turn++) {
      for (let index = 0; index < perSecond / 100; index++) logLine(index)
      yield* Effect.sleep("10 millis")
    }
    const idleMicros = mainThreadMicros(idle)
    const before = process.threadCpuUsage()
    for (let turn = 0; turn < turns; turn++) {
      for (let index = 0; index < perSecond / 100; index++) sink.write(logLine(index))
      yield* Effect.sleep("10 millis")
    }
    const lines = (turns * perSecond) / 100
    const micros = (mainThreadMicros(before) - idleMicros) / lines
    const what = `log lines, ${perSecond}/s`
    console.log(`  ${what.padEnd(44)} main thread ${micros.toFixed(2)} µs each  (${lines}, ${sink.dropped()} dropped)`)
  })

const story = Effect.gen(function* () {
  for (const callers of [1, 64, 256]) {
    const { latencies, elapsedMs, cost } = yield* enqueueing(callers)
    report(`enqueue, ${callers} callers`, latencies, elapsedMs, cost)
  }
  for (const perSecond of [1_000, 20_000]) yield* writing(perSecond)
  const { latencies, elapsedMs } = yield* Effect.raceFirst(
    enqueueing(16),
    Effect.andThen(logging(20_000), Effect.never)
  )
  report("enqueue, 16 callers, beside 20000 lines/s", latencies, elapsedMs)
})

const directory = mkdtempSync(join(process.env["ESB_BENCH_DIRECTORY"] ?? tmpdir(), "esb-bench-queue-"))
try {
  heading("What does it cost to accept an event, and to write a log line?")
  for (const perCommit of [1, 64]) floor(directory, perCommit)
  const options = { stateDirectory: directory, limits: { maxEvents: 10_000_000, maxBytes: 1024 ** 4 } }
  const stores = Layer.mergeAll(SqliteEventQueue.layer(options), SqliteLogSink.layer({ stateDirectory: directory }))
  await Effect.runPromise(story.pipe(Effect.provide(stores.pipe(Layer.provide(Sqlite.layer)))))
} finally {
  rmSync(directory, { recursive: true })
}
