import { assert, describe, it } from "@effect/vitest"
import { forAgent, forMachine } from "#domain/RegistryNames"

const names = { machine: "127.0.0.1:5010", agent: "registry:5010" }
const digest = `sha256:${"a".repeat(64)}`

describe("a registry of two names", () => {
  it("has an image under the one that its reader knows", () => {
    assert.strictEqual(forAgent(`127.0.0.1:5010/esb-hello@${digest}`, names), `registry:5010/esb-hello@${digest}`)
    assert.strictEqual(forMachine("registry:5010/team/hello:1", names), "127.0.0.1:5010/team/hello:1")
  })

  it("leaves images of others, and hosts that begin alike, as they are", () => {
    for (const image of ["127.0.0.1:50100/hello:1", "public.ecr.aws/lambda/nodejs:24", "hello:1"]) {
      assert.strictEqual(forAgent(image, names), image)
      assert.strictEqual(forMachine(image, names), image)
    }
  })

  it("may have a path behind its host", () => {
    const withPath = { machine: "127.0.0.1:5010/team/", agent: "registry:5010/team" }
    assert.strictEqual(forAgent("127.0.0.1:5010/team/hello:1", withPath), "registry:5010/team/hello:1")
    assert.strictEqual(forAgent("127.0.0.1:5010/other/hello:1", withPath), "127.0.0.1:5010/other/hello:1")
  })
})
