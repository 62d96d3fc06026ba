/** What becomes of the lines when the store is away, slow, or refuses them: the program never waits, and knows what was lost. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import * as FreePort from "#test/support/FreePort"
import * as Stderr from "#test/support/Stderr"
import * as LogStores from "#test/support/LogStores"
import { eventually } from "#test/support/Eventually"
import { record, telling } from "./VictoriaLogsContract.ts"

const messages = (lines: ReadonlyArray<LogStores.StoredLine>) => lines.map((line) => line["_msg"])

/** How often lines were lost, by the reason, in this process. */
const lostBy = (reason: string) => Effect.map(Metric.value(lost(reason)), ({ count }) => Number(count))

const lost = (reason: string) =>
  Metric.withAttributes(
    Metric.counter("esb_dropped_lines_total", {
      description: "Lines of logs and traces that never reach their store, by the reason.",
      incremental: true
    }),
    { to: "victorialogs", reason }
  )

describe("VictoriaLogs in trouble", () => {
  it.live("a store that is away when the program starts gets everything once it is there", () =>
    Effect.gen(function* () {
      const told = yield* Stderr.complaints
      const port = yield* FreePort.find
      const { sink } = yield* telling(`http://127.0.0.1:${port}`)
      for (let index = 0; index < 25; index += 1) sink.write(record(`${index}`))
      yield* eventually("a complaint", Effect.sync(told), ({ length }) => length > 0)
      const { lines, objections } = yield* LogStores.recorder(port)
      yield* eventually(
        "all lines",
        Effect.sync(() => lines.length),
        (count) => count === 25
      )
      assert.deepStrictEqual(
        messages(lines),
        Array.from({ length: 25 }, (_, index) => `${index}`)
      )
      assert.deepStrictEqual([...objections], [])
      assert.strictEqual(told().length, 1)
      assert.deepInclude(told()[0], { fallback: "victorialogs_failed", waiting: 25 })
      assert.include(String(told()[0]?.["error"]), "ECONNREFUSED")
      assert.deepInclude(told()[0]?.["original_log"], { message: "0", logger: "gateway" })
    })
  )

  it.live("a store that breaks off in the middle gets the lines again, and all that come later", () =>
    Effect.gen(function* () {
      yield* Stderr.complaints
      const store = yield* LogStores.recorder()
      const { sink } = yield* telling(store.url)
      sink.write(record("before"))
      yield* eventually(
        "the first line",
        Effect.sync(() => store.lines.length),
        (count) => count === 1
      )
      store.behave("hang up")
      sink.write(record("meanwhile"))
      yield* eventually("some attempts", Effect.sync(store.requests), (count) => count >= 3)
      store.behave(503)
      yield* eventually("more attempts", Effect.sync(store.requests), (count) => count >= 5)
      store.behave("take")
      sink.write(record("after"))
      yield* eventually(
        "all lines",
        Effect.sync(() => store.lines.length),
        (count) => count === 3
      )
      assert.deepStrictEqual(messages(store.lines), ["before", "meanwhile", "after"])
    })
  )

  it.live("a store that never answers is given up after its limit, and holds nobody up", () =>
    Effect.gen(function* () {
      yield* Stderr.complaints
      const before = yield* lostBy("unreachable")
      const store = yield* LogStores.recorder()
      store.behave("silent")
      const answerLimitMs = 100
      const { local, sink } = yield* telling(store.url, { limits: { answerLimitMs, attempts: 2, tellEveryMs: 0 } })
      const beganAt = performance.now()
      for (let index = 0; index < 10; index += 1) sink.write(record(`${index}`))
      assert.isBelow(performance.now() - beganAt, 10 * answerLimitMs, "who writes waits for nobody")
      const told = yield* eventually(
        "the loss is told",
        Effect.map(local.query({ limit: 1 }), ([line]) => line?.message ?? ""),
        (message) => message.includes("did not reach")
      )
      assert.match(told, /^10 lines of logs and traces did not reach VictoriaLogs: /)
      assert.strictEqual(yield* lostBy("unreachable"), before + 10)
      store.behave("take")
      yield* eventually(
        "the loss is told there too",
        Effect.sync(() => messages(store.lines)),
        (all) => all.includes(told)
      )
    })
  )

  it.live("lines that the store refuses are not sent again, and those after them are", () =>
    Effect.gen(function* () {
      const told = yield* Stderr.complaints
      const before = yield* lostBy("refused")
      const store = yield* LogStores.recorder()
      store.behave(400)
      const { sink } = yield* telling(store.url)
      sink.write(record("refused"))
      yield* eventually("the refusal", lostBy("refused"), (count) => count === before + 1)
      assert.strictEqual(store.requests(), 1)
      assert.strictEqual(told()[0]?.["error"], "the store answered 400: not now")
      store.behave("take")
      sink.write(record("taken"))
      yield* eventually(
        "the next line",
        Effect.sync(() => messages(store.lines)),
        (all) => all.includes("taken")
      )
      assert.notInclude(messages(store.lines), "refused")
    })
  )

  it.live("a burst beyond the limits is dropped, counted to the line, and told once", () =>
    Effect.gen(function* () {
      const before = yield* lostBy("queue_full")
      const store = yield* LogStores.recorder()
      const limits = { queueLines: 2_000, batchLines: 500, tellEveryMs: 100 }
      const { local, sink } = yield* telling(store.url, { limits })
      for (let index = 0; index < 20_000; index += 1) sink.write(record(`${index}`))
      assert.strictEqual((yield* lostBy("queue_full")) - before, 18_000)
      yield* eventually(
        "what was kept",
        Effect.sync(() => store.lines.length),
        (count) => count === 2_001
      )
      const remark = "18000 lines of logs and traces did not reach VictoriaLogs: more lines are written than it takes"
      assert.deepStrictEqual(
        messages(store.lines).filter((message) => message !== remark),
        Array.from({ length: 2_000 }, (_, index) => `${index}`)
      )
      const kept = yield* local.query({ limit: 10_000 })
      assert.strictEqual(kept.filter(({ message }) => message === remark).length, 1)
      assert.deepStrictEqual([...store.objections], [])
    })
  )

  it.live("a burst of long lines takes no more memory than the limit of bytes", () =>
    Effect.gen(function* () {
      yield* Stderr.complaints
      const before = yield* lostBy("queue_full")
      const store = yield* LogStores.recorder()
      store.behave("silent")
      const { sink } = yield* telling(store.url, { limits: { queueBytes: 1024 ** 2, flushLimitMs: 0 } })
      for (let index = 0; index < 100; index += 1) sink.write(record("x".repeat(100_000)))
      assert.strictEqual((yield* lostBy("queue_full")) - before, 90)
    })
  )

  it.live("a stop does not wait for a store that does not answer, and tells what it left", () =>
    Effect.gen(function* () {
      yield* Stderr.complaints
      const before = yield* lostBy("stopped")
      const store = yield* LogStores.recorder()
      store.behave("silent")
      const began = performance.now()
      const { local } = yield* Effect.scoped(
        Effect.gen(function* () {
          const told = yield* telling(store.url, { limits: { flushLimitMs: 200, batchLines: 5 } })
          for (let index = 0; index < 12; index += 1) told.sink.write(record(`${index}`))
          return told
        })
      )
      assert.isBelow(performance.now() - began, 1_500)
      assert.strictEqual((yield* lostBy("stopped")) - before, 12)
      const [last] = yield* local.query({ limit: 1 })
      assert.match(last?.message ?? "", /^12 lines of logs and traces did not reach VictoriaLogs: /)
    })
  )

  it.live("a stop ends an outage's wait, and tries once more", () =>
    Effect.gen(function* () {
      yield* Stderr.complaints
      const store = yield* LogStores.recorder()
      store.behave(503)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { sink } = yield* telling(store.url, { limits: { firstBackoffMs: 60_000, longestBackoffMs: 60_000 } })
          sink.write(record("late"))
          yield* eventually("the first attempt", Effect.sync(store.requests), (count) => count === 1)
          store.behave("take")
        })
      )
      assert.deepStrictEqual(messages(store.lines), ["late"])
    })
  )

  it.live("one connection serves every request", () =>
    Effect.gen(function* () {
      const store = yield* LogStores.recorder()
      const { sink } = yield* telling(store.url, { limits: { batchLines: 10 } })
      for (let index = 0; index < 200; index += 1) sink.write(record(`${index}`))
      yield* eventually(
        "all lines",
        Effect.sync(() => store.lines.length),
        (count) => count === 200
      )
      assert.isAtLeast(store.requests(), 20)
      assert.strictEqual(store.connections(), 1)
    })
  )

  it.live("a user and a password of the store's URL are shown to the store", () =>
    Effect.gen(function* () {
      const store = yield* LogStores.recorder()
      const { sink } = yield* telling(store.url.replace("//", "//esb:p%40ss@"))
      sink.write(record("known"))
      yield* eventually(
        "the line",
        Effect.sync(() => store.lines.length),
        (count) => count === 1
      )
      assert.strictEqual(store.authorization(), `Basic ${Buffer.from("esb:p@ss").toString("base64")}`)
    })
  )
})
