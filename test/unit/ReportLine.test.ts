import { assert, describe, it } from "@effect/vitest"
import * as ReportLine from "#domain/ReportLine"

const id = "8f5ae4ed-6a35-4f5c-9d4b-0c1f1a5d8c11"

describe("the platform's lines", () => {
  it("announce a call and its end", () => {
    assert.strictEqual(ReportLine.start(id), `START RequestId: ${id} Version: $LATEST`)
    assert.strictEqual(ReportLine.end(id), `END RequestId: ${id}`)
  })

  it("report a warm call without an init duration", () => {
    const report = { durationMs: 1.234, initDurationMs: undefined, maxMemoryBytes: 40 * 1_048_576 }
    assert.strictEqual(
      ReportLine.report(id, 128, report, "success"),
      `REPORT RequestId: ${id}\tDuration: 1.23 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\t`
    )
  })

  it("report a cold call with its init duration, and memory rounded up", () => {
    const report = { durationMs: 3, initDurationMs: 30.119, maxMemoryBytes: 40 * 1_048_576 + 1 }
    assert.strictEqual(
      ReportLine.report(id, 128, report, "success"),
      `REPORT RequestId: ${id}\tDuration: 3.00 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\tMax Memory Used: 41 MB\tInit Duration: 30.12 ms\t`
    )
  })

  it("say how a call ended that was not answered", () => {
    const report = { durationMs: 3_000, initDurationMs: undefined, maxMemoryBytes: 0 }
    assert.match(ReportLine.report(id, 128, report, "timeout"), /\tStatus: timeout\t$/)
    assert.match(
      ReportLine.report(id, 128, report, { errorType: "Runtime.ExitError" }),
      /\tStatus: error\tError Type: Runtime.ExitError\t$/
    )
    assert.strictEqual(
      ReportLine.timedOut(id, 3_000, 0),
      `1970-01-01T00:00:00.000Z ${id} Task timed out after 3.00 seconds`
    )
    assert.strictEqual(
      ReportLine.initReport(12.3, { errorType: "Runtime.ExitError" }),
      "INIT_REPORT Init Duration: 12.30 ms\tPhase: init\tStatus: error\tError Type: Runtime.ExitError\t"
    )
  })
})
