import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import * as JsonPayload from "#domain/JsonPayload"
import { needs, pathOf } from "#test/support/Engines"

const bytes = (text: string) => new TextEncoder().encode(text)
const complaint = (payload: Uint8Array) => {
  const checked = JsonPayload.check(payload)
  return Result.isFailure(checked) ? checked.failure.message : undefined
}

/** Recorded refusals, by the payload that the test which recorded them sent. */
const recorded = (): ReadonlyArray<readonly [payload: Uint8Array, message: string]> => {
  const file = join(pathOf("golden"), "aws-recordings/lambda___test_lambda.snapshot.json")
  const records = JSON.parse(readFileSync(file, "utf8")) as Record<
    string,
    { "recorded-content": Record<string, { Error: { Message: string } }> }
  >
  return Object.entries(records).flatMap(([name, record]) => {
    const payload = /payload_encoding_error\[[a-z]+-(.*)\]$/s.exec(name)?.[1]
    const message = Object.values(record["recorded-content"])[0]?.Error?.Message
    if (payload === undefined || message === undefined) return []
    const raw = payload.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
    return [[Buffer.from(raw, "latin1"), message] as const]
  })
}

describe("JsonPayload", () => {
  it("takes nothing for the empty object", () => {
    assert.deepStrictEqual(JsonPayload.check(new Uint8Array()), Result.succeed(bytes("{}")))
  })

  it.effect.prop("takes every JSON text as it is", [Schema.Json], ([value]) =>
    Effect.sync(() => {
      const payload = bytes(JSON.stringify(value))
      assert.deepStrictEqual(JsonPayload.check(payload), Result.succeed(payload))
    })
  )

  it("names a word that is no token", () => {
    assert.include(complaint(bytes("hello")), "Unrecognized token 'hello'")
  })

  it("refuses text that stops too early", () => {
    assert.isDefined(complaint(bytes('{"a":')))
  })

  it("refuses in AWS's recorded words", needs("golden"), () => {
    const cases = recorded()
    assert.isAbove(cases.length, 1, "nothing was recorded, so nothing was compared")
    for (const [payload, message] of cases) {
      assert.strictEqual(complaint(payload), message)
    }
  })
})
