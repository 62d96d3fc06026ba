import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as FunctionReference from "#domain/FunctionReference"

const region = "us-east-1"
const arn = "arn:aws:lambda:us-east-1:123456789012:function:hello"
const parse = (written: string, qualifier?: string) => FunctionReference.parse(written, qualifier, region)
const refusal = (written: string, qualifier?: string) => Result.getOrThrow(Result.flip(parse(written, qualifier)))

describe("FunctionReference", () => {
  it("understands a name, a partial ARN and a whole one", () => {
    for (const written of ["hello", "function:hello", "123456789012:hello", "123456789012:function:hello", arn]) {
      assert.deepStrictEqual(Result.getOrThrow(parse(written)), { name: "hello", qualifier: undefined }, written)
      for (const qualifier of ["$LATEST", "1", "live"]) {
        const expected = { name: "hello", qualifier }
        assert.deepStrictEqual(Result.getOrThrow(parse(`${written}:${qualifier}`)), expected, written)
        assert.deepStrictEqual(Result.getOrThrow(parse(written, qualifier)), expected, written)
        assert.deepStrictEqual(Result.getOrThrow(parse(`${written}:${qualifier}`, qualifier)), expected, written)
      }
    }
  })

  it("takes names that no function can have: whoever looks for them does not find them", () => {
    for (const name of ["a".repeat(65), "hello.world"]) {
      assert.deepStrictEqual(Result.getOrThrow(parse(name)), { name, qualifier: undefined })
    }
  })

  it("tells the functions of another region apart", () => {
    const failure = refusal("arn:aws:lambda:eu-west-1:123456789012:function:hello")
    assert.strictEqual(failure.message, "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')")
  })

  it("refuses two qualifiers that differ", () => {
    const failure = refusal(`${arn}:1`, "2")
    assert.strictEqual(failure._tag, "ParameterConflict")
  })

  it("tells of every rule that is broken at once", () => {
    const { message } = refusal("hello!", "x".repeat(129))
    assert.match(
      message,
      /^2 validation errors detected: Value 'x{129}' at 'qualifier' .*; Value 'hello!' at 'functionName' /
    )
    assert.match(refusal("hello!").message, /^1 validation error detected: Value 'hello!' at 'functionName' /)
  })
})
