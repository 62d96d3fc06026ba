import { assert, describe, it } from "@effect/vitest"
import { DigestMismatch, ImageNotFound, RegistryUnauthorized, RegistryUnavailable } from "#domain/Failure"
import { explain } from "#programs/esb/ImageUnavailable"
import { ImagePushFailed } from "#services/ImageBuilder"

const own = "127.0.0.1:5010"
const told = (failure: Parameters<typeof explain>[2]) => {
  const { advice, reason } = explain("registry.example/hello:1", own, failure)
  return [reason, advice] as const
}
const refusedBy = (registry: string) => told(new RegistryUnauthorized({ registry, detail: "no" }))

describe("an image that cannot be had", () => {
  it("is told by a reason that programs can read, and with what to do", () => {
    const failure = explain(
      "registry.example/hello:1",
      own,
      new ImageNotFound({ reference: "registry.example/hello:1" })
    )
    assert.strictEqual(
      failure.message,
      "registry.example/hello:1 cannot be had (IMAGE_PULL_FAILED): Image not found: registry.example/hello:1; " +
        "look for a slip in its name or tag, and whether it has been pushed"
    )
    const reference = "registry.example/hello:1"
    assert.strictEqual(told(new DigestMismatch({ reference, expected: "a", actual: "b" }))[0], "IMAGE_DIGEST_MISMATCH")
    assert.strictEqual(told(new ImagePushFailed({ reference, detail: "no" }))[0], "IMAGE_PUSH_FAILED")
  })

  it("for want of a login says how its registry gives one", () => {
    const account = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
    assert.deepStrictEqual(refusedBy(account), [
      "IMAGE_AUTH_FAILED",
      `log in with: aws ecr get-login-password --region eu-west-1 | docker login --username AWS --password-stdin ${account}`
    ])
    assert.include(refusedBy("public.ecr.aws")[1], "docker logout public.ecr.aws")
    assert.include(refusedBy("ghcr.io")[1], "docker login ghcr.io;")
    assert.include(refusedBy("docker.io")[1], "docker login;")
  })

  it("over the registry of the stack says what is wrong there", () => {
    assert.deepStrictEqual(refusedBy(own)[0], "IMAGE_PUSH_FAILED")
    assert.include(refusedBy(own)[1], "CONTAINER_REGISTRY_PASSWORD")
    const away = (registry: string) => told(new RegistryUnavailable({ registry, detail: "silence" }))
    assert.deepStrictEqual(away(own), ["IMAGE_PUSH_FAILED", "it is the registry of the stack: does the stack run?"])
    assert.strictEqual(away("registry.example")[0], "IMAGE_PULL_FAILED")
  })
})
