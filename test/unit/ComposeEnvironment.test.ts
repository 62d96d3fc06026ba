import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as ComposeEnvironment from "#layers/docker/ComposeEnvironment"

describe("the values of a Compose file's variables", () => {
  it("are written in single quotes, in which only a quote needs care", () => {
    const variables = { A: "plain", B: 'it\'s $HOME # "x"', EMPTY: "" }
    const text = "A='plain'\nB='it\\'s $HOME # \"x\"'\nEMPTY=''\n"
    assert.deepStrictEqual(ComposeEnvironment.text(variables), Result.succeed(text))
    assert.deepStrictEqual(ComposeEnvironment.namesIn(text), Object.keys(variables))
  })

  it.each(["C:\\certs", "a ${HOME} b", "a\r\nb"])(
    "are refused by name where versions of Compose differ: %j",
    (value) => {
      const refused = ComposeEnvironment.text({ FINE: "1", CERT_DIR: value })
      if (!Result.isFailure(refused)) return assert.fail("it was written")
      assert.include(refused.failure.message, "CERT_DIR")
      assert.include(refused.failure.message, JSON.stringify(value))
    }
  )
})
