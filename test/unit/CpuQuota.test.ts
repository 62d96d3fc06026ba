import { assert, describe, it } from "@effect/vitest"
import { quotaOf } from "#layers/docker/CpuQuota"

describe("the quota of a worker", () => {
  it("is a processor for the memory that buys one on AWS, and so in proportion", () => {
    assert.strictEqual(quotaOf(1_769), 100_000)
    assert.strictEqual(quotaOf(3_538), 200_000)
    assert.strictEqual(quotaOf(128), 7_236)
  })

  it("is never less than the kernel takes", () => {
    assert.strictEqual(quotaOf(1), 1_000)
  })
})
