import { assert, describe, it } from "@effect/vitest"
import * as FreezerPlace from "#domain/FreezerPlace"
import * as MountTable from "#domain/MountTable"

const mounts = (...lines: ReadonlyArray<string>) => FreezerPlace.hierarchies(MountTable.read(lines.join("\n")))

const first = "37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime shared:9 master:2 - cgroup cgroup rw,freezer"
const memory = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory"
const beside = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw"
const second = "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate"

describe("the place of a container's freezer", () => {
  it("is in the hierarchy of the first version where there is one", () => {
    const groups = "9:memory:/esb/w\n7:freezer:/esb/w\n0::/esb/w\n"
    const place = FreezerPlace.find(groups, mounts(beside, memory, first), "w")
    assert.deepStrictEqual(place, { version: 1, directory: "/sys/fs/cgroup/freezer/esb/w" })
  })

  it("is in the one hierarchy of the second version where there is no other", () => {
    const place = FreezerPlace.find("0::/esb/w\n", mounts(second), "w")
    assert.deepStrictEqual(place, { version: 2, directory: "/sys/fs/cgroup/esb/w" })
  })

  it("is in the second version where a runtime uses only that one", () => {
    const place = FreezerPlace.find("7:freezer:/\n0::/esb/w\n", mounts(first, beside), "w")
    assert.deepStrictEqual(place, { version: 2, directory: "/sys/fs/cgroup/unified/esb/w" })
  })

  it("is counted from what is mounted, where that is a part of the hierarchy", () => {
    const part = "30 23 0:26 /machine /cgroups rw - cgroup2 cgroup2 rw"
    assert.deepStrictEqual(FreezerPlace.find("0::/machine/esb/w\n", mounts(part), "w"), {
      version: 2,
      directory: "/cgroups/esb/w"
    })
    assert.isUndefined(FreezerPlace.find("0::/other/w\n", mounts(part), "w"))
  })

  it("is nowhere for a process in a group that is not the container's own", () => {
    for (const groups of ["7:freezer:/\n0::/\n", "7:freezer:/system/containerd\n", "7:freezer:/esb/other-w\n", ""]) {
      assert.isUndefined(FreezerPlace.find(groups, mounts(first, beside), "w"), groups)
    }
  })

  it("is nowhere where no freezer is mounted", () => {
    assert.isUndefined(FreezerPlace.find("7:freezer:/esb/w\n", mounts(memory), "w"))
  })
})
