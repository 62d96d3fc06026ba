import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as Subnet from "#domain/Subnet"
import * as Nameservers from "#layers/dns/Nameservers"

const at = (address: string, port = 53) => ({ address, port })

describe("name servers", () => {
  it("are read with or without their port, and written with it", () => {
    const read = (text: string) => Result.getOrThrow(Nameservers.read(text))
    assert.deepStrictEqual(read("10.0.0.2"), at("10.0.0.2"))
    assert.deepStrictEqual(read("10.0.0.2:5353"), at("10.0.0.2", 5_353))
    assert.deepStrictEqual(read("fd00::2"), at("fd00::2"))
    assert.deepStrictEqual(read("[fd00::2]:5353"), at("fd00::2", 5_353))
    for (const text of ["10.0.0.2:53", "[fd00::2]:5353"]) assert.strictEqual(Nameservers.write(read(text)), text)
  })

  it("are refused with their own text where they are no address", () => {
    const wrong = [
      "",
      "dns",
      "dns:53",
      "10.0.0.2:",
      "10.0.0.2:0",
      "10.0.0.2:70000",
      "10.0.0.256",
      "[10.0.0.2]:53",
      "[x]:53"
    ]
    for (const text of wrong) assert.deepStrictEqual(Nameservers.read(text), Result.fail(text))
  })

  it("of a machine are the first three of its file, whatever else it says", () => {
    const text =
      "# by hand\nsearch a.b\nnameserver 127.0.0.53\n  nameserver\tfe80::1%eth0 # home\nnameserver x\n;nameserver 1.1.1.1\n"
    assert.deepStrictEqual(Nameservers.inFile(text), [at("127.0.0.53"), at("fe80::1%eth0")])
    const many = [1, 2, 3, 4].map((n) => `nameserver 10.0.0.${n}`).join("\n")
    assert.deepStrictEqual(Nameservers.inFile(many), [at("10.0.0.1"), at("10.0.0.2"), at("10.0.0.3")])
  })

  it("of a machine that names none is the machine itself", () => {
    assert.deepStrictEqual(Nameservers.inFile("options edns0\n"), [at("127.0.0.1")])
  })
})

describe("a network", () => {
  it("contains its addresses and no others", () => {
    const network = Result.getOrThrow(Subnet.parse("10.88.4.0/23"))
    for (const address of ["10.88.4.0", "10.88.4.1", "10.88.5.255"]) assert.isTrue(Subnet.contains(network, address))
    for (const address of ["10.88.3.255", "10.88.6.0", "10.89.4.1", "::1", "::ffff:10.88.4.1", "", "10.88.4.1/8"]) {
      assert.isFalse(Subnet.contains(network, address), address)
    }
  })
})
