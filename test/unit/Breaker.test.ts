import { assert, describe, it } from "@effect/vitest"
import * as Breaker from "#domain/Breaker"

const limits: Breaker.BreakerLimits = { threshold: 3, recoveryMs: 1000 }
const failedTimes = (times: number, nowMs = 0) =>
  Array.from({ length: times }).reduce(
    (breaker: Breaker.Breaker) => Breaker.failed(breaker, nowMs, limits),
    Breaker.closed
  )

describe("Breaker", () => {
  it("admits calls until so many failures in a row", () => {
    assert.strictEqual(Breaker.admit(failedTimes(2), 0, limits)[1]._tag, "Admitted")
    assert.deepStrictEqual(Breaker.admit(failedTimes(3), 400, limits)[1], {
      _tag: "Refused",
      failures: 3,
      retryAfterMs: 600
    })
  })

  it("forgets failures at a success", () => {
    const breaker = Breaker.failed(Breaker.succeeded(failedTimes(2)), 0, limits)
    assert.deepStrictEqual(breaker, { _tag: "Closed", failures: 1 })
  })

  it("lets one call try after its rest, and only one", () => {
    const [probing, first] = Breaker.admit(failedTimes(3), 1000, limits)
    assert.strictEqual(first._tag, "Admitted")
    assert.strictEqual(Breaker.admit(probing, 1001, limits)[1]._tag, "Refused")
  })

  it("closes when that call does well and opens again when it does not", () => {
    const [probing] = Breaker.admit(failedTimes(3), 1000, limits)
    assert.deepStrictEqual(Breaker.succeeded(probing), Breaker.closed)
    assert.deepStrictEqual(Breaker.failed(probing, 1500, limits), { _tag: "Open", failures: 4, sinceMs: 1500 })
  })

  it("lets the next call try when that call found nothing out, and changes nothing for others", () => {
    const [probing] = Breaker.admit(failedTimes(3), 1000, limits)
    const [again, next] = Breaker.admit(Breaker.undecided(probing, 1001, limits), 1001, limits)
    assert.strictEqual(next._tag, "Admitted")
    assert.strictEqual(Breaker.admit(again, 1002, limits)[1]._tag, "Refused")
    for (const other of [failedTimes(2), failedTimes(3)]) {
      assert.deepStrictEqual(Breaker.undecided(other, 1001, limits), other)
    }
  })

  it("tries again when that call never reported back", () => {
    const [probing] = Breaker.admit(failedTimes(3), 1000, limits)
    assert.strictEqual(Breaker.admit(probing, 2000, limits)[1]._tag, "Admitted")
  })
})
