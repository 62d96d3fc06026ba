import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"
import * as ImageReference from "#domain/ImageReference"

const digest = `sha256:${"0123456789abcdef".repeat(4)}`

const parsed = (text: string) => Result.getOrThrow(ImageReference.parse(text))
const printed = (text: string) => ImageReference.print(parsed(text))

describe("ImageReference", () => {
  it("reads names as Docker does, with Docker's defaults", () => {
    const cases = {
      node: "docker.io/library/node",
      "node:20": "docker.io/library/node:20",
      "bitnami/node": "docker.io/bitnami/node",
      "docker.io/node": "docker.io/library/node",
      "index.docker.io/library/node:20": "docker.io/library/node:20",
      "localhost/node": "localhost/node",
      "localhost:5010/a/b/c:1": "localhost:5010/a/b/c:1",
      "127.0.0.1:5010/esb-echo": "127.0.0.1:5010/esb-echo",
      "[::1]:5000/x": "[::1]:5000/x",
      "UPPER/x": "UPPER/x",
      "public.ecr.aws/lambda/python:3.12": "public.ecr.aws/lambda/python:3.12",
      [`node@${digest}`]: `docker.io/library/node@${digest}`,
      [`r:5/n:t@${digest}`]: `r:5/n:t@${digest}`,
      "a__b/c-----d/e.f_g": "docker.io/a__b/c-----d/e.f_g"
    }
    for (const [text, whole] of Object.entries(cases)) assert.strictEqual(printed(text), whole)
  })

  it("tells tag, digest and the default apart", () => {
    assert.strictEqual(ImageReference.target(parsed("node")), "latest")
    assert.strictEqual(ImageReference.target(parsed("node:20")), "20")
    assert.strictEqual(ImageReference.target(parsed(`node:20@${digest}`)), digest)
    assert.strictEqual(ImageReference.print(ImageReference.at(parsed("r:5/n:t"), digest)), `r:5/n:t@${digest}`)
  })

  it("refuses what is no reference, and says why", () => {
    const cases = {
      "": "is no repository",
      Node: "lower case",
      "r:5/Node": "lower case",
      "node:": "is no tag",
      "node:-x": "is no tag",
      [`node:${"t".repeat(129)}`]: "is no tag",
      "node@sha256:12": "is no digest",
      [`node@md5:${"0".repeat(32)}`]: "is no digest",
      [`node@${digest.toUpperCase()}`]: "is no digest",
      "a//b": "is no repository",
      "/a": "is no repository",
      "a/": "is no repository",
      "-a/b": "is no repository",
      "a.b./c": "is no host",
      "http://r:5/n": "is no host",
      "r:5/../n": "is no repository",
      "r:5/n?x=1": "is no repository",
      "a b": "is no repository",
      "n\n": "is no repository",
      [`r:5/${"a".repeat(300)}`]: "more than 255 characters",
      ["a".repeat(64)]: "name no repository"
    }
    for (const [text, reason] of Object.entries(cases)) {
      const failure = Result.getOrThrow(Result.flip(ImageReference.parse(text)))
      assert.strictEqual(failure._tag, "InvalidParameter", text)
      assert.include(failure.message, reason, text)
    }
  })
})

const oneOf = (words: readonly [string, ...Array<string>]) => Arbitrary.schema(Schema.Literals(words))
const path = Arbitrary.array(oneOf(["node", "a", "b-c", "d.e", "f__g", "0", "h---i"]), {
  minLength: 1,
  maxLength: 4
}).pipe(Arbitrary.map((parts) => parts.join("/")))

const references = Arbitrary.all({
  host: oneOf(["docker.io", "localhost", "r.example", "127.0.0.1:5010", "[::1]:5000", "R", "x-y.z:1"]),
  path,
  tag: oneOf(["", "latest", "v1.2-x_y", "_", "T".repeat(128)]),
  digest: oneOf(["", digest, `sha512:${"ab".repeat(64)}`])
}).pipe(
  Arbitrary.map(({ digest, host, path, tag }): ImageReference.ImageReference => ({
    host,
    repository: host === "docker.io" && !path.includes("/") ? `library/${path}` : path,
    tag: tag || undefined,
    digest: digest || undefined
  }))
)

describe("ImageReference, whatever it names", () => {
  it.prop("is read back as it was printed", { reference: references }, ({ reference }) => {
    assert.deepStrictEqual(ImageReference.parse(ImageReference.print(reference)), Result.succeed(reference))
  })

  it.prop("is printed the same however it was written", { text: Schema.String }, ({ text }) => {
    const first = ImageReference.parse(text)
    if (Result.isFailure(first)) return
    assert.deepStrictEqual(ImageReference.parse(ImageReference.print(first.success)), first)
  })
})
