import { assert, describe, it } from "@effect/vitest"
import { mountOf, readOnlyIn } from "#domain/Mounts"

const inAContainer = [
  "77 51 0:39 / / rw,relatime master:2 - overlay overlay rw,lowerdir=/a:/b,upperdir=/c,workdir=/d",
  "78 77 0:42 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw",
  "97 77 254:0 /var/lib/docker/volumes/state/_data /var/lib/esb rw,relatime master:1 shared:4 - ext4 /dev/vda rw",
  "98 77 254:0 /with\\040a\\040space /mnt/with\\040a\\040space rw,relatime - xfs /dev/vdb rw",
  "99 77 0:48 / /var/lib/esb/hidden rw - tmpfs tmpfs rw",
  ""
].join("\n")

const typeOf = (path: string) => mountOf(inAContainer, path)?.type

describe("Mounts", () => {
  it("finds the innermost mount that holds a path", () => {
    assert.deepStrictEqual(mountOf(inAContainer, "/var/lib/esb/state"), {
      point: "/var/lib/esb",
      type: "ext4",
      isReadOnly: false
    })
    assert.strictEqual(typeOf("/var/lib/esb"), "ext4")
    assert.strictEqual(typeOf("/var/lib/esb/hidden/away"), "tmpfs")
  })

  it("takes a path that only begins alike for another one", () => {
    assert.deepStrictEqual(mountOf(inAContainer, "/var/lib/esb-other"), {
      point: "/",
      type: "overlay",
      isReadOnly: false
    })
  })

  it("reads what is escaped in a path", () => {
    assert.strictEqual(typeOf("/mnt/with a space/file"), "xfs")
  })

  it("takes the last of several mounts on one place", () => {
    assert.strictEqual(mountOf(`${inAContainer}1 2 0:1 / / rw - ext4 /dev/x rw\n`, "/etc")?.type, "ext4")
  })

  it("finds those on a directory and below that nobody may write", () => {
    const kernel = [
      "1 0 0:1 / /sys ro - sysfs sysfs rw",
      "3 2 0:3 / /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory",
      "2 1 0:2 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs rw",
      "4 2 0:4 / /sys/fs/cgroup/cpu rw,nosuid - cgroup cgroup ro,cpu",
      "5 1 0:5 / /sys/fs/cgroups ro - tmpfs tmpfs rw"
    ].join("\n")
    const points = readOnlyIn(kernel, "/sys/fs/cgroup").map(({ point }) => point)
    assert.deepStrictEqual(points, ["/sys/fs/cgroup", "/sys/fs/cgroup/memory"])
  })

  it("finds nothing where there is nothing to read", () => {
    assert.isUndefined(mountOf("", "/var/lib/esb"))
  })
})
