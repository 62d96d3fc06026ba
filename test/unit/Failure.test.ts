import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { exceptionStatus, wire } from "#domain/Failure"
import { needs, pathOf } from "#test/support/Engines"

/** Exceptions of every AWS API, which the model of one API does not list. */
const common: ReadonlyMap<string, number> = new Map([
  ["AccessDeniedException", 403],
  ["IncompleteSignatureException", 400],
  ["InvalidSignatureException", 403],
  ["MissingAuthenticationTokenException", 403],
  ["UnrecognizedClientException", 403],
  ["ValidationException", 400]
])

interface Model {
  readonly shapes: Readonly<Record<string, { readonly error?: { readonly httpStatusCode: number } }>>
}

describe("Failure", () => {
  it("tells every failure by an exception that has a status", () => {
    for (const { aws } of Object.values(wire)) {
      assert.isTrue(aws === "function" || aws in exceptionStatus)
    }
  })

  it("gives every exception the status of the Lambda API's model", needs("golden"), () => {
    const file = join(pathOf("golden"), "lambda-api-model/service-2.json")
    const { shapes } = JSON.parse(readFileSync(file, "utf8")) as Model
    for (const [name, status] of Object.entries(exceptionStatus)) {
      assert.strictEqual(status, shapes[name]?.error?.httpStatusCode ?? common.get(name), name)
    }
  })
})
