import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { createHash } from "node:crypto"
import * as BrandNetwork from "#domain/BrandNetwork"
import * as Subnet from "#domain/Subnet"

const md5 = (brand: string) => createHash("md5").update(brand).digest()
const read = (text: string) => Result.getOrThrow(Subnet.parse(text))

describe("a brand's network", () => {
  const known = [
    { brand: "esb", bridge: "esb-esbefb03b", subnet: "10.184.208.0/23" },
    { brand: "acme-core", bridge: "esb-acme2467a7", subnet: "10.104.4.0/23" },
    { brand: "acme", bridge: undefined, subnet: "10.235.226.0/23" }
  ]
  for (const { brand, bridge, subnet } of known) {
    it(`of ${brand} is ${subnet}, on every machine`, () => {
      const place = BrandNetwork.subnet(md5(brand), [])
      assert.strictEqual(place && Subnet.format(place), subnet)
      if (bridge !== undefined) assert.strictEqual(BrandNetwork.bridgeName(brand, md5(brand)), bridge)
    })
  }

  it("is the next one when another network has its place, or a part of it", () => {
    const beside = BrandNetwork.subnet(md5("esb"), [read("10.184.209.0/24"), read("10.184.210.0/23")])
    assert.strictEqual(beside && Subnet.format(beside), "10.184.212.0/23")
  })

  it("is nowhere when all of 10.0.0.0/8 is taken", () => {
    assert.isUndefined(BrandNetwork.subnet(md5("esb"), [read("10.0.0.0/8")]))
  })

  it("leaves 10.88.0.0/16 to stacks without a network of their own", () => {
    const ordinary = read("10.88.0.0/16")
    for (let seed = 0; seed < 4_000; seed++) {
      const place = BrandNetwork.subnet(md5(String(seed)), [])
      assert.isFalse(place === undefined || Subnet.overlap(place, ordinary), String(seed))
    }
  })

  it("has a bridge whose name the kernel takes, whatever the brand", () => {
    assert.isAtMost(BrandNetwork.bridgeName("a-very-long-brand", md5("a-very-long-brand")).length, 15)
  })
})

describe("a subnet", () => {
  it("is written as its first address, and has the machine first", () => {
    const subnet = read("10.88.3.7/16")
    assert.strictEqual(Subnet.format(subnet), "10.88.0.0/16")
    assert.strictEqual(Subnet.firstHost(subnet), "10.88.0.1")
    assert.strictEqual(Subnet.lastHost(subnet), "10.88.255.254")
  })

  for (const text of ["10.88.0.0/31", "10.88.0.0/32", "10.88.0.256/16", "10.88.0.0", "fd00::/64", "auto", ""]) {
    it(`is not ${text || "nothing"}`, () => {
      assert.isTrue(Result.isFailure(Subnet.parse(text)))
    })
  }
})
