import { assert, describe, it } from "@effect/vitest"
import { gatewayUri, isGateway } from "#domain/PeerIdentity"
import * as Leaves from "#layers/x509/Leaves"

describe("Names of certificates", () => {
  it("a Gateway is whoever has its URI among his names, and not inside another name", () => {
    assert.isTrue(isGateway(`URI:${gatewayUri}`))
    assert.isTrue(isGateway(`DNS:gateway, URI:${gatewayUri}, DNS:other`))
    // As Node writes names that have a comma in them.
    const told = [undefined, "", `DNS:${gatewayUri}`, `URI:${gatewayUri}2`, `DNS:"a\\u002c URI:${gatewayUri}\\u002c b"`]
    for (const names of told) assert.isFalse(isGateway(names), names)
  })

  it("a server may have names of hosts and addresses, and no others", () => {
    for (const name of [
      "agent",
      "agent.internal",
      "_dns.x",
      "*.internal",
      "10.88.0.1",
      "::1",
      "A-1.b-2",
      "a".repeat(63)
    ]) {
      assert.isTrue(Leaves.isServerName(name), name)
    }
    const others = [
      "",
      "a b",
      "-a",
      "a-",
      "a..b",
      "a.*",
      "*",
      "*.*.a",
      "a,b",
      "esb:gateway",
      "http://a",
      "a\nb",
      "a".repeat(64)
    ]
    for (const name of others) assert.isFalse(Leaves.isServerName(name), JSON.stringify(name))
    assert.isFalse(Leaves.isServerName(`${"a.".repeat(127)}a`))
    assert.isFalse(Leaves.isServerName(`${"a".repeat(60)}!`.repeat(4)))
  })

  it("each name of a server is there once, however it is written", () => {
    const { names } = Leaves.server(["LOCALHOST", "0:0:0:0:0:0:0:1", "fe80:0::1", "FE80::1"])
    const values = names.map(({ value }) => value)
    assert.strictEqual(new Set(values).size, values.length)
    assert.deepStrictEqual(names.slice(-1), [{ type: "ip", value: "fe80::1" }])
  })
})
