import { assert, describe, it } from "@effect/vitest"
import { ArtifactNotFound, RuntimeUnavailable, RuntimeUnsupported } from "#domain/Failure"
import { FunctionName } from "#domain/FunctionName"
import * as StartFailure from "#domain/StartFailure"

const hello = FunctionName.make("hello")

describe("why a worker did not start", () => {
  it("is told as it is where it is the image's fault", () => {
    const missing = new ArtifactNotFound({ image: "hello:1", detail: "nobody has it" })
    const unsupported = new RuntimeUnsupported({ runtime: "hello:1", detail: "no such thing" })
    assert.strictEqual(StartFailure.make(hello, missing, true), missing)
    assert.strictEqual(StartFailure.make(hello, unsupported, false), unsupported)
  })

  it("is told of the function, with the engine's words, and that the engine is away where it is", () => {
    const refused = { _tag: "EngineFailure", message: "no space left" }
    const told = StartFailure.make(hello, refused, true)
    assert.deepInclude(told, {
      _tag: "RuntimeUnavailable",
      functionName: hello,
      detail: "no space left",
      cause: refused
    })
    assert.notProperty(told, "isAway")
    assert.propertyVal(StartFailure.make(hello, refused, false), "isAway", true)
    const cause = new Error("why")
    const unavailable = new RuntimeUnavailable({ detail: "it is broken", cause })
    assert.deepInclude(StartFailure.make(hello, unavailable, true), {
      functionName: hello,
      detail: "it is broken",
      cause
    })
  })
})
