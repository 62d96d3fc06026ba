import { assert, describe, it } from "@effect/vitest"
import { snapshotterOf } from "#programs/agent/SnapshotterChoice"

describe("The snapshotter of an Agent", () => {
  it("is the one that is set, else that of disks for virtual machines, else that of directories", () => {
    const chosen = (containerdRuntime: string | undefined, containerdSnapshotter?: string) =>
      snapshotterOf({ containerdRuntime, containerdSnapshotter })
    assert.strictEqual(chosen(undefined), "overlayfs")
    assert.strictEqual(chosen("io.containerd.runc.v2"), "overlayfs")
    assert.strictEqual(chosen("aws.firecracker"), "devmapper")
    assert.strictEqual(chosen("aws.firecracker", "blockfile"), "blockfile")
    assert.strictEqual(chosen(undefined, "native"), "native")
  })
})
