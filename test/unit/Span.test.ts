import { assert, describe, it } from "@effect/vitest"
import * as Span from "#domain/Span"
import * as TraceContext from "#domain/TraceContext"

describe("Span", () => {
  it("calls a trace by the digits of its root, as AWS's own exporters do", () => {
    assert.strictEqual(Span.hexTraceId("1-5759e988-bd862e3fe1be46a994272793"), "5759e988bd862e3fe1be46a994272793")
    assert.strictEqual(Span.hexTraceId("5759e988bd862e3fe1be46a994272793"), "5759e988bd862e3fe1be46a994272793")
  })

  it("has no digits for a root of another form", () => {
    for (const root of [
      "mine",
      "1-5759e988",
      "2-5759e988-bd862e3fe1be46a994272793",
      "1-5759E988-bd862e3fe1be46a994272793"
    ]) {
      assert.strictEqual(Span.hexTraceId(root), undefined, root)
    }
  })

  it("is wanted only where the trace says so", () => {
    const trace = TraceContext.generate("1")
    assert.isTrue(TraceContext.isSampled(TraceContext.format(trace)))
    assert.isTrue(TraceContext.isSampled(TraceContext.format({ ...trace, parent: "53995c3f42cd8ad8" })))
    for (const sampled of ["0", "?"]) assert.isFalse(TraceContext.isSampled(TraceContext.format({ ...trace, sampled })))
    assert.isFalse(TraceContext.isSampled(TraceContext.format(TraceContext.generate("0"))))
  })
})
