import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as FunctionImage from "#domain/FunctionImage"
import * as ImageReference from "#domain/ImageReference"

const naming: FunctionImage.ImageNaming = {
  identity: { brand: "acme-core", environment: "dev" },
  registry: "127.0.0.1:5010",
  tag: "v1"
}

describe("FunctionImage", () => {
  it("is named for its registry, brand, function and tag", () => {
    assert.strictEqual(FunctionImage.reference(naming, "hello"), "127.0.0.1:5010/acme-core-hello:v1")
    assert.strictEqual(
      FunctionImage.reference({ ...naming, registry: "registry:5010/" }, "hello"),
      "registry:5010/acme-core-hello:v1"
    )
    assert.strictEqual(FunctionImage.reference({ ...naming, registry: undefined }, "hello"), "acme-core-hello:v1")
  })

  it("has a name that every registry takes, whatever the function is called", () => {
    const names = {
      Save_Order: "acme-core-save_order",
      "a__b--c": "acme-core-a_b-c",
      "-x-": "acme-core-x",
      "é!": "acme-core"
    }
    for (const [name, repository] of Object.entries(names)) {
      const reference = FunctionImage.reference({ ...naming, registry: undefined }, name)
      assert.strictEqual(reference, `${repository}:v1`)
      assert.isTrue(Result.isSuccess(ImageReference.parse(reference)), reference)
    }
  })

  it("tells functions whose images would have one name", () => {
    assert.deepStrictEqual(FunctionImage.collisions(naming, ["Save", "load", "save", "Load-"]), [
      ["Save", "save"],
      ["load", "Load-"]
    ])
    assert.deepStrictEqual(FunctionImage.collisions(naming, ["save", "load"]), [])
  })

  it("is labelled with the stack it belongs to", () => {
    assert.deepStrictEqual(FunctionImage.labels(naming.identity), {
      "com.acme-core.managed": "true",
      "com.acme-core.project": "acme-core-dev",
      "com.acme-core.env": "dev",
      "com.acme-core.kind": "function"
    })
    assert.strictEqual(FunctionImage.fingerprintLabel(naming.identity), "com.acme-core.image_fingerprint")
  })
})
