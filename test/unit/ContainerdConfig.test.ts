import { assert, describe, it } from "@effect/vitest"
import { write } from "#domain/ContainerdConfig"

const plan = {
  root: "/var/lib/containerd",
  state: "/run/containerd",
  socket: "/run/containerd/containerd.sock",
  pool: undefined
}

describe("the configuration of a containerd for workers", () => {
  it("leaves out what Kubernetes needs, and disks where there is no pool for them", () => {
    const lines = write(plan).split("\n")
    assert.includeMembers(lines, ["version = 2", 'root = "/var/lib/containerd"', 'state = "/run/containerd"'])
    const disabled = lines.find((line) => line.startsWith("disabled_plugins = ")) ?? ""
    assert.include(disabled, '"io.containerd.grpc.v1.cri"')
    assert.include(disabled, '"io.containerd.snapshotter.v1.devmapper"')
  })

  it("gives workers disks of a pool", () => {
    const text = write({ ...plan, pool: { name: "fc-pool", directory: "/var/lib/containerd/devmapper2" } })
    assert.notInclude(text.split("\n").find((line) => line.startsWith("disabled_plugins")) ?? "", "devmapper")
    assert.include(text, 'pool_name = "fc-pool"')
    assert.include(text, 'root_path = "/var/lib/containerd/devmapper2"')
  })
})
