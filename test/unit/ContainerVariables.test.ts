import { assert, describe, it } from "@effect/vitest"
import { FunctionName } from "#domain/FunctionName"
import * as ContainerVariables from "#domain/ContainerVariables"

const spec = {
  functionName: FunctionName.make("hello"),
  image: "i",
  environment: { SSL_CERT_FILE: "/mine.pem", TZ: "Asia/Tokyo" },
  specHash: "h"
}
const plan = { spec, logStream: "today", isTrusting: true, door: { endpoint: "10.0.0.1:20000", token: "secret" } }

describe("the environment of a worker in a container", () => {
  it("is what its image says, over that what the function says, and over all what the platform owns", () => {
    const made = ContainerVariables.make(plan, { TZ: "UTC", SSL_CERT_FILE: "/image.pem", OWN: "1" })
    assert.strictEqual(made["TZ"], "Asia/Tokyo")
    assert.strictEqual(made["SSL_CERT_FILE"], "/mine.pem")
    assert.strictEqual(made["AWS_CA_BUNDLE"], "/etc/esb/ca.pem")
    assert.strictEqual(made["OWN"], "1")
    assert.strictEqual(made["AWS_LAMBDA_RUNTIME_API"], "10.0.0.1:20000")
  })

  it("tells of no authority and of no door where there is none", () => {
    const made = ContainerVariables.make({ ...plan, isTrusting: false, door: undefined })
    assert.notProperty(made, "AWS_CA_BUNDLE")
    assert.notProperty(made, "AWS_LAMBDA_RUNTIME_API")
    assert.notProperty(made, "ESB_WORKER_TOKEN")
  })

  it("is read back as it was written", () => {
    const made = ContainerVariables.make(plan, { EMPTY: "", SIGNS: "a=b=c" })
    assert.deepStrictEqual(ContainerVariables.parse(ContainerVariables.print(made)), made)
    assert.deepStrictEqual(ContainerVariables.parse(["BARE"]), { BARE: "" })
  })
})
