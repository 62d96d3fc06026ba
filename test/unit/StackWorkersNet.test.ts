import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as WorkersNet from "#programs/esb/WorkersNet"

const bridge = { name: "bridge", subnet: "172.17.0.0/16" }
const network = (subnet: string) => ({ name: `a network of ${subnet}`, subnet })

const chosen = (asked: string | undefined, surroundings: Partial<WorkersNet.Surroundings>): string =>
  Result.merge(WorkersNet.choose(asked, { own: undefined, networks: [bridge], interfaces: [], ...surroundings }))

describe("the network of workers", () => {
  it("is the default, or the next that no network of the engine has a part of", () => {
    assert.strictEqual(chosen(undefined, {}), "10.89")
    assert.strictEqual(chosen(undefined, { networks: [network("10.89.0.0/16"), network("fd00::/64")] }), "10.90")
    assert.strictEqual(chosen(undefined, { networks: [network("10.89.7.128/25"), network("10.90.0.0/15")] }), "10.92")
    assert.strictEqual(chosen(undefined, { networks: [network("10.88.0.0/14"), network("10.92.0.1/32")] }), "10.93")
    assert.include(chosen(undefined, { networks: [network("10.0.0.0/8")] }), "name another with WORKERS_NET")
  })

  it("leaves the machine's own networks reachable where it can", () => {
    assert.strictEqual(chosen(undefined, { interfaces: [network("10.89.3.4/24")] }), "10.90")
    assert.strictEqual(chosen(undefined, { interfaces: [network("10.3.2.1/8")] }), "10.89")
  })

  it("is the one that was asked for, unless it cannot be", () => {
    assert.strictEqual(chosen("172.30", { interfaces: [network("172.30.0.1/16")] }), "172.30")
    const refused = chosen("172.17", {})
    assert.include(refused, "WORKERS_NET is 172.17, and the engine's network bridge has 172.17.0.0/16")
  })

  it("stays while the stack is there", () => {
    assert.strictEqual(chosen(undefined, { own: "10.91" }), "10.91")
    assert.strictEqual(chosen("10.91", { own: "10.91" }), "10.91")
    assert.include(chosen("10.92", { own: "10.91" }), "take it down with esb down first")
  })
})
