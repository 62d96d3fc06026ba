import { assert, describe, it } from "@effect/vitest"
import { parse } from "#layers/registry/Challenge"

const realm = "https://auth.example/token"

describe("Challenge", () => {
  it("reads where tokens are to be had, for what, and from whom", () => {
    const header = `Bearer realm="${realm}",service="registry.example",scope="repository:a/b:pull,push repository:c:pull"`
    assert.deepStrictEqual(parse(header), {
      scheme: "bearer",
      realm,
      service: "registry.example",
      scope: "repository:a/b:pull,push repository:c:pull"
    })
  })

  it("does without service and scope, quotes, blanks and capital letters", () => {
    const bare = { scheme: "bearer" as const, realm, service: undefined, scope: undefined }
    assert.deepStrictEqual(parse(`bearer realm=${realm}`), bare)
    assert.deepStrictEqual(parse(`BEARER  REALM = "${realm}" , error="invalid_token"`), bare)
  })

  it("knows a password is wanted", () => {
    assert.deepStrictEqual(parse(`Basic realm="Registry, of ours"`), { scheme: "basic" })
    assert.deepStrictEqual(parse("basic"), { scheme: "basic" })
  })

  it("prefers a token, in whatever order they are offered", () => {
    for (const header of [`Basic realm="x", Bearer realm="${realm}"`, `Bearer realm="${realm}", Basic realm="x"`]) {
      assert.deepInclude(parse(header), { scheme: "bearer", realm })
    }
  })

  it("takes no word inside a parameter for a challenge", () => {
    assert.deepStrictEqual(parse(`Digest realm="Basic"`), undefined)
    assert.deepStrictEqual(parse(`Basic realm="a, Bearer realm"`)?.scheme, "basic")
  })

  it("finds nothing where there is nothing", () => {
    for (const header of ["", "Negotiate", "Bearer", `Bearer service="x"`]) assert.isUndefined(parse(header), header)
  })
})
