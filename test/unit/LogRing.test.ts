import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import type { LogRecord } from "#domain/LogRecord"
import * as LogEntry from "#layers/grpc/log/LogEntry"
import { LogRing } from "#layers/grpc/log/LogRing"

const record = (message: string): LogRecord => ({
  atUnixMs: 1_700_000_000_000,
  source: "function",
  level: "INFO",
  message,
  functionName: undefined,
  containerName: "esb-dev-hello-0badcafe",
  requestId: undefined,
  traceId: undefined
})

const wide = { lines: 1_000, characters: 1_000_000 }

const messagesIn = (text: string): ReadonlyArray<string> =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => {
      const entry = Option.getOrThrow(LogEntry.decode(line))
      return entry._tag === "Line" ? entry.message : entry._tag
    })

const written = (ring: LogRing, ...messages: ReadonlyArray<string>): LogRing => {
  for (const message of messages) ring.write(record(message))
  return ring
}

describe("LogRing", () => {
  it("has nothing to tell before the first line, and after the last", () => {
    const ring = new LogRing(wide)
    assert.isUndefined(ring.read(0, 1_000))
    written(ring, "a")
    assert.isUndefined(ring.read(1, 1_000))
  })

  it("tells the lines after a position, whole, and as many as fit", () => {
    const ring = written(new LogRing(wide), "a", "b", "c", "d")
    const all = ring.read(0, 1_000_000)
    assert.deepStrictEqual([messagesIn(all?.text ?? ""), all?.last, all?.lost], [["a", "b", "c", "d"], 4, 0])
    const length = (all?.text.length ?? 0) / 4
    const some = ring.read(1, 2 * length)
    assert.deepStrictEqual([messagesIn(some?.text ?? ""), some?.last], [["b", "c"], 3])
    assert.deepStrictEqual(messagesIn(ring.read(3, 1)?.text ?? ""), ["d"])
  })

  it("makes room for newer lines, and says how many a reader has missed", () => {
    const ring = written(new LogRing({ ...wide, lines: 3 }), "a", "b", "c", "d", "e")
    const passage = ring.read(1, 1_000_000)
    assert.deepStrictEqual([messagesIn(passage?.text ?? ""), passage?.last, passage?.lost], [["c", "d", "e"], 5, 1])
    assert.strictEqual(ring.dropped, 2)
  })

  it("keeps to its characters as well, and drops what alone is too long", () => {
    const ring = written(new LogRing({ ...wide, characters: 2_000 }), ..."abcdefghijklmnop")
    const kept = messagesIn(ring.read(0, 1_000_000)?.text ?? "")
    assert.isBelow(kept.length, 16)
    assert.strictEqual(kept.at(-1), "p")
    written(ring, "x".repeat(3_000))
    assert.isUndefined(ring.read(0, 1_000_000))
    written(ring, "after")
    assert.deepStrictEqual(messagesIn(ring.read(16, 1_000_000)?.text ?? ""), ["after"])
    assert.strictEqual(ring.read(16, 1_000_000)?.lost, 1)
  })

  it("does not count as dropped what somebody has got", () => {
    const ring = written(new LogRing({ ...wide, lines: 2 }), "a", "b")
    ring.deliver(2)
    written(ring, "c", "d", "e")
    assert.strictEqual(ring.dropped, 1)
    assert.strictEqual(ring.delivered, 2)
  })

  it("tells its followers of every line until they leave", () => {
    const ring = new LogRing(wide)
    let heard = 0
    const leave = ring.follow(() => {
      heard += 1
    })
    written(ring, "a", "b")
    assert.deepStrictEqual([heard, ring.isFollowed], [2, true])
    leave()
    written(ring, "c")
    assert.deepStrictEqual([heard, ring.isFollowed], [2, false])
  })

  it("brings a line over as it was written", () => {
    const line = { ...record("größer\n\u0000€"), functionName: undefined, requestId: "id", atUnixMs: 1.5 }
    const entry = Option.getOrThrow(LogEntry.decode(LogEntry.line(7, line)))
    assert.deepInclude(entry, { _tag: "Line", position: 7 })
    if (entry._tag === "Line") assert.deepStrictEqual(LogEntry.recordOf(entry), line)
  })
})
