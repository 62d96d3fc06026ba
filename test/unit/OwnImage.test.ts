import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import * as OwnImage from "#programs/OwnImage"

const mounts = [
  "77 51 0:39 / / rw,relatime - overlay overlay rw",
  "97 77 254:0 /volumes/state/_data /var/lib/esb rw,relatime - ext4 /dev/vda rw",
  "98 77 0:48 / /run/esb rw - tmpfs tmpfs rw"
].join("\n")

const complaints = (around: Partial<OwnImage.Surroundings>) =>
  OwnImage.check("gateway", {
    imageRuntime: "docker",
    runtime: "docker",
    ephemeral: false,
    home: "/var/lib/esb",
    ...around
  }).pipe(
    Effect.as([] as ReadonlyArray<string>),
    Effect.catchTag("BadSettings", (refused) => Effect.succeed(refused.complaints)),
    Effect.provide(FileSystem.layerNoop({ readFileString: () => Effect.succeed(mounts) }))
  )

describe("OwnImage", () => {
  it.effect("lets a program in an image start whose state lies on a volume", () =>
    Effect.map(complaints({}), (told) => assert.deepStrictEqual(told, []))
  )

  it.effect("refuses state that goes with the container, on its own layer or in memory, unless that is wanted", () =>
    Effect.gen(function* () {
      for (const home of ["/app/.esb", "/run/esb"]) {
        const [told = ""] = yield* complaints({ home })
        assert.include(told, `ESB_HOME is ${home}`)
        assert.include(told, "ESB_EPHEMERAL=1")
        assert.deepStrictEqual(yield* complaints({ home, ephemeral: true }), [])
      }
    })
  )

  it.effect("refuses another engine than the image is made for", () =>
    Effect.map(complaints({ runtime: "process" }), (told) =>
      assert.deepStrictEqual(told, ["AGENT_RUNTIME is process, and this image is made for docker"])
    )
  )

  it.effect("asks nothing of a program that is in no image of its own", () =>
    Effect.map(complaints({ imageRuntime: undefined, runtime: "process", home: "/tmp" }), (told) =>
      assert.deepStrictEqual(told, [])
    )
  )
})
