import { assert, describe, it } from "@effect/vitest"
import * as EnginePath from "#layers/docker/EnginePath"

const mounts = [
  { destination: "/var/lib/esb", source: "/var/lib/docker/volumes/esb_state/_data" },
  { destination: "/var/lib/esb/cache", source: "/srv/cache" },
  { destination: "/run", source: "" }
]

describe("a path of a container as its engine sees it", () => {
  it("is what the innermost mount around it has there", () => {
    const of = (path: string) => EnginePath.fromContainer(mounts, path)
    assert.strictEqual(of("/var/lib/esb/worker-ca"), "/var/lib/docker/volumes/esb_state/_data/worker-ca")
    assert.strictEqual(of("/var/lib/esb"), "/var/lib/docker/volumes/esb_state/_data")
    assert.strictEqual(of("/var/lib/esb/cache/a/b"), "/srv/cache/a/b")
  })

  it("is nothing where the container has it for itself, or in memory", () => {
    for (const path of ["/var/lib/esbx/worker-ca", "/var/lib", "/", "/run/esb"]) {
      assert.isUndefined(EnginePath.fromContainer(mounts, path), path)
    }
  })

  it("is everything's where the root is mounted", () => {
    assert.strictEqual(EnginePath.fromContainer([{ destination: "/", source: "/host" }], "/a/b"), "/host/a/b")
  })
})
