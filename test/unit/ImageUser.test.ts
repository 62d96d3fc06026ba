import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as ImageUser from "#layers/containerd/ImageUser"

const lists: ImageUser.UserLists = {
  users: "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\nbroken\n",
  groups: "root:x:0:\nstaff:x:50:app\n"
}

const found = (named: string) => Result.getOrThrow(ImageUser.find(named, lists))

describe("the user of an image", () => {
  it("is nobody in particular where the image says nothing", () => {
    assert.isUndefined(found(""))
  })

  it("goes by a name or a number, with a group or with the user's own", () => {
    assert.deepStrictEqual(found("app"), { uid: 1_000, gid: 1_001 })
    assert.deepStrictEqual(found("1000"), { uid: 1_000, gid: 1_001 })
    assert.deepStrictEqual(found("app:staff"), { uid: 1_000, gid: 50 })
    assert.deepStrictEqual(found("app:7"), { uid: 1_000, gid: 7 })
    assert.deepStrictEqual(found("5:staff"), { uid: 5, gid: 50 })
  })

  it("may have a number that the image does not know, and is then in root's group", () => {
    assert.deepStrictEqual(found("4711"), { uid: 4_711, gid: 0 })
    assert.deepStrictEqual(Result.getOrThrow(ImageUser.find("4711", { users: "", groups: "" })), { uid: 4_711, gid: 0 })
  })

  it("is not guessed where nobody knows the name", () => {
    for (const [named, told] of [
      ["nobody", '"nobody"'],
      ["app:nobodies", '"nobodies"'],
      ["99999999999", '"99999999999"'],
      ["broken", '"broken"']
    ] as const) {
      const failure = Result.flip(ImageUser.find(named, lists))
      assert.include(Result.getOrThrow(failure), told)
    }
  })
})
