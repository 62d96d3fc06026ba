import { assert, describe, it } from "@effect/vitest"
import * as CgroupDelegation from "#domain/CgroupDelegation"

const plan = {
  root: "/sys/fs/cgroup",
  parent: "esb",
  leaf: "runtime-node",
  controllers: CgroupDelegation.controllersIn("cpu io, memory  pids")
}

describe("control groups handed on to workers", () => {
  it("are those of the second version, in a tree whose root is the container's own", () => {
    assert.strictEqual(CgroupDelegation.placeIn("0::/\n"), "own root")
    assert.strictEqual(CgroupDelegation.placeIn("0::/system.slice/docker-1.scope\n"), "the machine's")
    assert.strictEqual(CgroupDelegation.placeIn("4:memory:/docker/1\n0::/docker/1\n"), "first version")
    assert.strictEqual(CgroupDelegation.placeIn(""), "first version")
  })

  it("are handed on from the root to the parent, and from there to workers", () => {
    assert.deepStrictEqual(CgroupDelegation.paths(plan).handedOn, [
      "/sys/fs/cgroup/cgroup.subtree_control",
      "/sys/fs/cgroup/esb/cgroup.subtree_control"
    ])
    assert.strictEqual(CgroupDelegation.handOver(plan.controllers), "+cpu +io +memory +pids")
    assert.strictEqual(CgroupDelegation.paths(plan).leafMembers, "/sys/fs/cgroup/esb/runtime-node/cgroup.procs")
  })

  it("are missing where the machine has fewer", () => {
    assert.deepStrictEqual(CgroupDelegation.missing(plan, "cpuset cpu io memory pids\n"), [])
    assert.deepStrictEqual(CgroupDelegation.missing(plan, "cpu pids\n"), ["io", "memory"])
  })
})
