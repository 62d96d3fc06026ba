import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as ClientContext from "#domain/ClientContext"
import { limits } from "#domain/Invocation"

const encoded = (text: string) => Buffer.from(text).toString("base64")

const refusal = (header: string) => Result.getOrThrow(Result.flip(ClientContext.decode(header)))

describe("ClientContext", () => {
  it("hands on the text of an object as it was written", () => {
    const text = `{ "custom": {"ä": 1}, "client": {} }`
    assert.deepStrictEqual(ClientContext.decode(encoded(text)), Result.succeed(text))
    assert.deepStrictEqual(ClientContext.decode(undefined), Result.succeed(undefined))
    assert.deepStrictEqual(ClientContext.decode(""), Result.succeed(undefined))
  })

  it("refuses what is no base64, no JSON or no object, in AWS's words", () => {
    for (const header of ["{}", "not base64", encoded("{"), encoded("[]"), encoded("null"), encoded("1")]) {
      const { _tag, message } = refusal(header)
      assert.strictEqual(_tag, "InvalidClientContext")
      assert.strictEqual(message, "Client context must be a valid Base64-encoded JSON object.", header)
    }
  })

  it("refuses more than the limit before it decodes", () => {
    const long = encoded(JSON.stringify({ a: "x".repeat(2_700) }))
    assert.isAbove(long.length, limits.clientContextBytes)
    assert.strictEqual(refusal(long)._tag, "InvalidParameter")
    assert.include(refusal(long).message, `Member must have length less than or equal to ${limits.clientContextBytes}`)
  })

  it.prop("takes every object", { value: Schema.Record(Schema.String, Schema.Finite) }, ({ value }) => {
    const text = JSON.stringify(value)
    if (encoded(text).length <= limits.clientContextBytes) {
      assert.deepStrictEqual(ClientContext.decode(encoded(text)), Result.succeed(text))
    }
  })
})
