import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import * as TraceContext from "#domain/TraceContext"

const root = "1-5759e988-bd862e3fe1be46a994272793"

const normal = (header: string) => {
  const trace = TraceContext.parse(header)
  return trace === undefined ? "none" : TraceContext.format(trace)
}

describe("TraceContext", () => {
  it("begins a trace with the time in its root", () => {
    const made = TraceContext.make(Date.UTC(2026, 0, 1), "bd862e3fe1be46a994272793")
    assert.strictEqual(TraceContext.format(made), "Root=1-6955b900-bd862e3fe1be46a994272793;Sampled=1")
    assert.match(TraceContext.format(TraceContext.generate()), /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Sampled=1$/)
    assert.notStrictEqual(TraceContext.generate().root, TraceContext.generate().root)
  })

  it("puts Root, Parent and Sampled into order and drops what else there is", () => {
    assert.strictEqual(
      normal(`Sampled=0; Parent=53995c3f42cd8ad8;Self=1-2-3;Root=${root};Lineage=a:0`),
      `Root=${root};Parent=53995c3f42cd8ad8;Sampled=0`
    )
  })

  it("takes a bare id for the root, and a trace for sampled unless told otherwise", () => {
    assert.strictEqual(normal(root), `Root=${root};Sampled=1`)
    assert.strictEqual(normal(`Root=${root}`), `Root=${root};Sampled=1`)
    assert.strictEqual(normal(`Root=${root};Sampled=?`), `Root=${root};Sampled=?`)
    assert.strictEqual(normal(`Root=${root};Sampled=perhaps`), `Root=${root};Sampled=1`)
  })

  it("finds no trace where there is no root", () => {
    for (const header of [
      "",
      ";;",
      "Parent=53995c3f42cd8ad8",
      "Root=",
      "Root=a b",
      `Root=${"a".repeat(600)}`,
      "Root=x\r\ny"
    ]) {
      assert.strictEqual(normal(header), "none", header)
    }
  })

  it.prop(
    "reads what it wrote",
    {
      atUnixMs: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4_000_000_000_000 }))),
      parent: Schema.UndefinedOr(Schema.Literals(["53995c3f42cd8ad8", "0000000000000001"])),
      sampled: Schema.Literals(["0", "1", "?"])
    },
    ({ atUnixMs, parent, sampled }) => {
      const trace = { ...TraceContext.make(atUnixMs, "bd862e3fe1be46a994272793"), parent, sampled }
      assert.deepStrictEqual(TraceContext.parse(TraceContext.format(trace)), trace)
    }
  )
})
