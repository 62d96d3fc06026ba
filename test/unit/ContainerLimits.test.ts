import { assert, describe, it } from "@effect/vitest"
import { cpuQuotaMicroseconds } from "#domain/ContainerLimits"

describe("the quota of a worker", () => {
  it("is a processor for the memory that buys one on AWS, and so in proportion", () => {
    assert.strictEqual(cpuQuotaMicroseconds(1_769), 100_000)
    assert.strictEqual(cpuQuotaMicroseconds(3_538), 200_000)
    assert.strictEqual(cpuQuotaMicroseconds(128), 7_236)
  })

  it("is never less than the kernel takes", () => {
    assert.strictEqual(cpuQuotaMicroseconds(1), 1_000)
  })
})
