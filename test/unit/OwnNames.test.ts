import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as OwnNames from "#domain/OwnNames"

const read = (text: string) => Result.getOrThrow(OwnNames.read(text))
const look = OwnNames.make(
  [
    "gateway=10.89.0.3",
    "S3-Storage.=10.89.0.4",
    "*.s3-storage=10.89.0.4",
    "logs.s3-storage=10.89.0.7",
    "a.b.c=10.0.0.1"
  ]
    .concat("*.only.below=10.0.0.2", "deep.down.gateway=10.0.0.5", "gateway=10.89.0.6")
    .map(read)
)
const addresses = (name: string) => {
  const found = look(name)
  return found._tag === "Present" ? found.addresses : found._tag
}

describe("own names", () => {
  it("are read with their address, whatever their case, and with or without the dot at their end", () => {
    assert.deepStrictEqual(read("gateway=10.89.0.3"), { name: "gateway", isWildcard: false, address: "10.89.0.3" })
    assert.deepStrictEqual(read("*.S3-Storage. = 10.89.0.4"), {
      name: "s3-storage",
      isWildcard: true,
      address: "10.89.0.4"
    })
  })

  it("are written as they are read", () => {
    for (const text of ["gateway=10.89.0.3", "*.s3-storage=10.89.0.4"]) {
      assert.strictEqual(OwnNames.write(read(text)), text)
    }
  })

  it("are refused with their own text where they are no name with an address", () => {
    const long = `${"a".repeat(64)}=10.0.0.1`
    const wrong = ["", "gateway", "gateway=", "=10.0.0.1", "*=10.0.0.1", "*.=10.0.0.1", "a.*.b=10.0.0.1"].concat(
      ["a=10.0.0.256", "a=::1", "a=b", "-a=10.0.0.1", "a..b=10.0.0.1", "a b=10.0.0.1", "ä=10.0.0.1", long],
      `${"a.".repeat(130)}a=10.0.0.1`
    )
    for (const text of wrong) assert.deepStrictEqual(OwnNames.read(text), Result.fail(text))
  })

  it("have the addresses that were given, all of them", () => {
    assert.deepStrictEqual(addresses("gateway"), ["10.89.0.3", "10.89.0.6"])
    assert.deepStrictEqual(addresses("a.b.c"), ["10.0.0.1"])
  })

  it("are met below a wildcard at any depth, save where a nearer name stands", () => {
    assert.deepStrictEqual(addresses("bucket.s3-storage"), ["10.89.0.4"])
    assert.deepStrictEqual(addresses("my.bucket.s3-storage"), ["10.89.0.4"])
    assert.deepStrictEqual(addresses("logs.s3-storage"), ["10.89.0.7"])
    assert.strictEqual(addresses("x.logs.s3-storage"), "Absent")
  })

  it("do not exist below a name without a wildcard", () => {
    assert.strictEqual(addresses("x.gateway"), "Absent")
    assert.deepStrictEqual(look("x.y.gateway"), { _tag: "Absent", zone: "gateway" })
  })

  it("exist without an address where they are only part of longer ones", () => {
    assert.deepStrictEqual(addresses("only.below"), [])
    assert.deepStrictEqual(addresses("down.gateway"), [])
  })

  it("are elsewhere where none is near", () => {
    for (const name of ["example.com", "c", "b.c", "below", "mygateway", "s3-storage.example.com", ""]) {
      assert.strictEqual(addresses(name), "Elsewhere", name)
    }
  })
})
