import { assert, describe, it } from "@effect/vitest"
import * as MountTable from "#domain/MountTable"
import * as OwnContainer from "#layers/docker/OwnContainer"
import { memberOf } from "#layers/docker/WorkersNetwork"

describe("the address of an Agent in the workers' network", () => {
  it("is the one of the network's subnet", () => {
    assert.strictEqual(memberOf("10.89.0.0/16", ["127.0.0.1", "172.18.0.4", "10.89.0.2"]), "10.89.0.2")
    assert.strictEqual(memberOf("10.89.128.0/17", ["10.89.0.2", "10.89.128.2"]), "10.89.128.2")
  })

  it("is none where the Agent is elsewhere, and where the network has no subnet", () => {
    assert.isUndefined(memberOf("10.89.0.0/16", ["127.0.0.1", "10.90.0.2"]))
    for (const subnet of ["", "fd00::/64"]) assert.isUndefined(memberOf(subnet, ["10.89.0.2"]))
  })
})

describe("the container that a process runs in", () => {
  const idIn = (text: string) => OwnContainer.idIn(MountTable.read(text))
  const id = "51012565991b1039d89c1073c0574edb3f3f592d71b5f572db88ecf67b842693"

  it("is told by what the engine mounts, wherever the engine keeps its files", () => {
    const lines = (directory: string) => [
      "73 48 0:39 / / rw,relatime master:2 - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/ZL",
      `90 73 254:0 ${directory}/containers/${id}/resolv.conf /etc/resolv.conf rw,relatime - ext4 /dev/vda rw`
    ]
    for (const directory of ["/var/lib/docker", "/docker", ""]) {
      assert.strictEqual(idIn(lines(directory).join("\n")), id)
    }
  })

  it("is none on a machine, nor in a container of another kind of engine", () => {
    assert.isUndefined(idIn("28 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw"))
    const podman = `61 50 0:24 /containers/overlay-containers/${id}/userdata/hosts /etc/hosts rw - tmpfs tmpfs rw`
    assert.isUndefined(idIn(podman))
  })
})
