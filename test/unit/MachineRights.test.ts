import { assert, describe, it } from "@effect/vitest"
import { withheld, withheldOf } from "#programs/esb/MachineRights"

const status = (bounds: string): string => `CapEff:\t0000000000000000\nCapBnd:\t${bounds}\nCapAmb:\t0000000000000000\n`

describe("rights that a machine withholds", () => {
  it("are those that nobody on it can have", () => {
    assert.strictEqual(withheldOf(status("000001ffffffffff"), "40\n"), 0)
    assert.strictEqual(withheldOf(status("000001fffeffffff"), "40\n"), 1)
    assert.strictEqual(withheldOf(status("0000000000000000"), "40\n"), 41)
  })

  it("are looked for on this one", async () => {
    assert.isAtLeast(await withheld(), 0)
  })
})
