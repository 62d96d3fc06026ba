import { assert, describe, it } from "@effect/vitest"
import * as Recorded from "#test/support/Recorded"

const recording = (step: Recorded.Recording["steps"][string]): Recorded.Recording => ({
  test: "a test",
  steps: { step },
  bound: new Map()
})

const isSame = (step: Recorded.Recording["steps"][string], actual: unknown): boolean => {
  try {
    Recorded.assertSame(recording(step), "step", actual)
    return true
  } catch {
    return false
  }
}

const [one, two] = ["3f0a4d4e-8a55-4d5e-9b0d-9f6d4c5b0a11", "b1946ac9-2492-4d23-8c35-7f3f0f1c0e22"]

describe("Recorded", () => {
  it("takes placeholders for one value throughout a record", () => {
    assert.isTrue(isSame(["<uuid:1>", "id <uuid:1>"], [one, `id ${one}`]))
    assert.isFalse(isSame(["<uuid:1>", "id <uuid:1>"], [one, `id ${two}`]))
    assert.isTrue(isSame(["<uuid:1>", "<uuid:2>"], [one, two]))
    assert.isTrue(isSame("<request-id> <request-id>", `${one} ${one}`))
    assert.isFalse(isSame("<request-id> <request-id>", `${one} ${two}`))
    assert.isFalse(isSame(["111111111111", "111111111111"], ["000000000000", "999999999999"]))
  })

  it("carries what it learned from step to step", () => {
    const steps = { ...recording(null), steps: { first: "<uuid:1>", second: { id: "<uuid:1>" } } }
    Recorded.assertSame(steps, "first", one)
    assert.throws(() => Recorded.assertSame(steps, "second", { id: two }), /second\.id: recorded "<uuid:1>", got/)
    Recorded.assertSame(steps, "second.id", one)
  })

  it("wants of a placeholder what its name says", () => {
    assert.isFalse(isSame("RequestId: <uuid>", "RequestId: 1"))
    assert.isFalse(isSame("Duration: <duration> ms", "Duration: long ms"))
    assert.isTrue(isSame("<duration> <duration>", "1.25 2"))
    assert.isTrue(isSame("date\tINFO", "2026-01-01T00:00:00.000Z\tINFO"))
    assert.isFalse(isSame("date\tINFO", "today\tINFO"))
    assert.isTrue(isSame("name <a:len(3)>", "name aaa"))
  })

  it("takes everything else literally", () => {
    assert.isFalse(isSame("a.c", "abc"))
    assert.isFalse(isSame({ a: 1 }, { a: 1, b: 2 }))
    assert.isFalse(isSame({ a: 1, b: 2 }, { a: 1 }))
    assert.isFalse(isSame([1], [1, 1]))
    assert.isFalse(isSame(1, "1"))
    assert.isFalse(isSame("null", null))
    assert.isTrue(isSame({ a: [null, true, { b: "x" }] }, { a: [null, true, { b: "x" }] }))
  })
})
