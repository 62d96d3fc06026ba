import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as ImageReference from "#domain/ImageReference"
import { markOf, pinned, plan, type Prewarm } from "#domain/MirroredImage"

const registry = "127.0.0.1:5010"
const digest = `sha256:${"0123456789abcdef".repeat(4)}`

const planned = (imageUri: string, prewarm: Prewarm = "missing", own: string | undefined = registry) =>
  Result.getOrThrow(plan(imageUri, { prewarm, registry: own }))
const copy = (imageUri: string) => {
  const found = planned(imageUri)
  return found._tag === "Copy" ? found : assert.fail(`${imageUri} is not copied but ${found._tag}`)
}
const to = (imageUri: string) => ImageReference.print(copy(imageUri).to)

describe("an image that a template names", () => {
  it("has its copy below the name of the registry that it is from", () => {
    const copies = {
      "public.ecr.aws/lambda/nodejs:24": "127.0.0.1:5010/public.ecr.aws/lambda/nodejs:24",
      "ghcr.io/me/app": "127.0.0.1:5010/ghcr.io/me/app:latest",
      "node:20": "127.0.0.1:5010/docker.io/library/node:20",
      "127.0.0.1:7000/a/b:1": "127.0.0.1:5010/127.0.0.1-7000/a/b:1",
      "[::1]:7000/a:1": "127.0.0.1:5010/1-7000/a:1",
      "UPPER/x": "127.0.0.1:5010/upper/x:latest",
      [`ghcr.io/me/app:3@${digest}`]: "127.0.0.1:5010/ghcr.io/me/app"
    }
    for (const [imageUri, expected] of Object.entries(copies)) assert.strictEqual(to(imageUri), expected)
  })

  it("is looked for in the engine first when its name has no registry", () => {
    for (const imageUri of ["hello", "hello:1", "me/hello:1", `hello@${digest}`]) {
      assert.isTrue(copy(imageUri).isEngineFirst, imageUri)
    }
    for (const imageUri of ["docker.io/hello", "localhost/hello", "r:5/hello", "ghcr.io/me/hello"]) {
      assert.isFalse(copy(imageUri).isEngineFirst, imageUri)
    }
  })

  it("stays as it is where nothing is copied, and is only looked up where it is already", () => {
    assert.deepStrictEqual(planned("hello:1", "off"), { _tag: "Keep" })
    assert.deepStrictEqual(Result.getOrThrow(plan("hello:1", { prewarm: "all", registry: undefined })), {
      _tag: "Keep"
    })
    assert.strictEqual(planned(`${registry}/esb-hello:1`)._tag, "Pin")
    assert.strictEqual(planned(`${registry}/esb-hello:1`, "all", `${registry}/`)._tag, "Pin")
    assert.strictEqual(planned("127.0.0.1:50100/esb-hello:1")._tag, "Copy")
  })

  it("is refused when its name is none, or is too long below another registry", () => {
    for (const imageUri of ["", "https://r/x", `r/${"a/".repeat(120)}a`]) {
      assert.isTrue(Result.isFailure(plan(imageUri, { prewarm: "missing", registry })), imageUri)
    }
  })

  it("is found again by what its source goes by, and started by its own digest", () => {
    const { to } = copy("ghcr.io/me/app:3")
    const mark = markOf(to, digest)
    assert.strictEqual(ImageReference.print(mark), `127.0.0.1:5010/ghcr.io/me/app:${digest.replace(":", "-")}`)
    assert.isTrue(Result.isSuccess(ImageReference.parse(ImageReference.print(mark))))
    assert.strictEqual(pinned(mark, digest), `127.0.0.1:5010/ghcr.io/me/app@${digest}`)
  })
})
