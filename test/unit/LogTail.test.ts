import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { levelOf } from "#domain/LogLine"
import * as LogTail from "#domain/LogTail"

const decoder = new TextDecoder()

const tailOf = (lines: ReadonlyArray<string>, limitBytes?: number): Uint8Array => {
  const tail = LogTail.make(limitBytes)
  for (const line of lines) tail.append(line)
  return tail.bytes()
}

describe("the tail of a log", () => {
  it("is empty without lines", () => {
    assert.strictEqual(tailOf([]).length, 0)
  })

  it("holds every line with its newline while they fit", () => {
    assert.strictEqual(decoder.decode(tailOf(["START", "", "END"])), "START\n\nEND\n")
  })

  it("holds the last 4096 bytes and not one more", () => {
    const lines = Array.from({ length: 1_000 }, (_, index) => `line ${index}`)
    const tail = decoder.decode(tailOf(lines))
    assert.strictEqual(tail.length, 4_096)
    assert.isTrue(`${lines.join("\n")}\n`.endsWith(tail))
  })

  it.effect.prop(
    "equals the end of everything written, whatever was written",
    [Schema.Array(Schema.String), Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 64 }))],
    ([lines, limitBytes]) =>
      Effect.sync(() => {
        const clean = lines.map((line) => line.replaceAll("\n", " "))
        const all = new TextEncoder().encode(clean.map((line) => `${line}\n`).join(""))
        assert.deepStrictEqual(tailOf(clean, limitBytes), all.slice(Math.max(0, all.length - limitBytes)))
      })
  )
})

describe("the level of a line", () => {
  it.each([
    ["2026-11-21T20:00:00.000Z\tid\tERROR\tboom", "ERROR"],
    ["[WARNING]\t2026-11-21T20:00:00.000Z\tid\tcareful", "WARNING"],
    ["[WARN] careful", "WARNING"],
    ["TRACE in", "DEBUG"],
    ["CRITICAL: disk", "ERROR"],
    ["no errors were found", "INFO"],
    ["ERRORS is no level", "INFO"],
    ["", "INFO"]
  ] as const)("of %j is %s", (line, level) => {
    assert.strictEqual(levelOf(line), level)
  })

  it.each([
    ['{"level":"critical","message":"disk"}', "CRITICAL"],
    ['{"level":"warn"}', "WARNING"],
    ['{"level":30,"message":"an ERROR in words"}', "ERROR"],
    ['{"message":"nothing to tell"}', "INFO"],
    ["{ DEBUG not JSON", "DEBUG"]
  ] as const)("is the one that JSON names itself: %s is %s", (line, level) => {
    assert.strictEqual(levelOf(line), level)
  })

  it("is not looked for far behind the start of a long line", () => {
    assert.strictEqual(levelOf(`${"x".repeat(500)} ERROR`), "INFO")
  })
})
