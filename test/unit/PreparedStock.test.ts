import { assert, describe, it } from "@effect/vitest"
import { type Demand, next } from "#domain/PreparedStock"

const limits = { perSpec: 2, total: 3, idleMs: 1_000 }

const demand = (name: string, lastAskedAtMs: number, ready: number) => ({ name, lastAskedAtMs, ready })
type Named = Demand & { readonly name: string }

const step = (demands: ReadonlyArray<Named>, nowMs: number, given = limits) => {
  const { drop, forget, make } = next(demands, given, nowMs)
  return {
    forget: forget.map(({ name }) => name),
    drop: drop.map(({ count, of }) => `${count} ${of.name}`),
    make: make?.name
  }
}

describe("a stock of prepared workers", () => {
  it("is filled for each that was asked for, whoever was asked for last first", () => {
    assert.deepStrictEqual(step([demand("old", 10, 0), demand("new", 20, 1)], 30), {
      forget: [],
      drop: [],
      make: "new"
    })
    assert.strictEqual(step([demand("old", 10, 0), demand("new", 20, 2)], 30).make, "old")
    assert.isUndefined(step([demand("old", 10, 1), demand("new", 20, 2)], 30).make)
  })

  it("never holds more in all than it may: whoever was asked for first gives way", () => {
    const crowded = [demand("a", 10, 2), demand("b", 20, 1), demand("c", 30, 0)]
    assert.deepStrictEqual(step(crowded, 40), { forget: [], drop: ["2 a"], make: "c" })
  })

  it("forgets what nobody has asked for in a while", () => {
    assert.deepStrictEqual(step([demand("a", 10, 2), demand("b", 500, 2)], 1_010), {
      forget: ["a"],
      drop: [],
      make: undefined
    })
  })

  it("is empty where nothing is made ahead", () => {
    assert.deepStrictEqual(step([demand("a", 10, 0)], 20, { ...limits, perSpec: 0 }), {
      forget: [],
      drop: [],
      make: undefined
    })
  })
})
