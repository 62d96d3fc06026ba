import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as MountTable from "#domain/MountTable"

const inAContainer = MountTable.read(
  [
    "77 51 0:39 / / rw,relatime master:2 - overlay overlay rw,lowerdir=/a:/b,upperdir=/c,workdir=/d",
    "78 77 0:42 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw",
    "97 77 254:0 /var/lib/docker/volumes/state/_data /var/lib/esb rw,relatime master:1 shared:4 - ext4 /dev/vda rw",
    "98 77 254:0 /with\\040a\\040space /mnt/with\\040a\\040space rw,relatime - xfs /dev/vdb rw",
    "99 77 0:48 / /var/lib/esb/hidden rw - tmpfs tmpfs rw",
    ""
  ].join("\n")
)

const typeOf = (path: string) => MountTable.holding(inAContainer, path)?.type

/** As the kernel writes a path: what would end the field or the line, and what begins an escape. */
const escaped = (path: string): string =>
  path.replace(/[ \t\n\\]/g, (letter) => `\\${letter.charCodeAt(0).toString(8).padStart(3, "0")}`)

const Path = Schema.Array(Schema.Literals([" ", "\t", "\n", "\\", "-", " - ", "040", "é", "/", "a"])).check(
  Schema.isMaxLength(9)
)
const optionalFields = Schema.Array(Schema.Literals(["shared:4", "master:2", "propagate_from:1", "unbindable"]))

describe("MountTable", () => {
  it("reads what is mounted of a file system, where, and what holds for it there and everywhere", () => {
    const line = "35 31 0:32 /part /sys/fs/cgroup/cpu ro,nosuid shared:9 master:2 - cgroup cgroup rw,cpu,cpuacct"
    assert.deepStrictEqual(MountTable.read(line), [
      {
        root: "/part",
        point: "/sys/fs/cgroup/cpu",
        options: ["ro", "nosuid"],
        type: "cgroup",
        superOptions: ["rw", "cpu", "cpuacct"]
      }
    ])
  })

  it.prop(
    "reads every path as it was before it was written, whatever optional fields stand behind it",
    { root: Path, point: Path, optionalFields },
    (written) => {
      const [root, point] = [`/${written.root.join("")}`, `/${written.point.join("")}`]
      const fields = ["1 2 0:3", escaped(root), escaped(point), "rw", ...written.optionalFields, "- ext4 /dev/x rw"]
      const [mount, ...others] = MountTable.read(`${fields.join(" ")}\n`)
      assert.deepStrictEqual([mount?.root, mount?.point, mount?.type], [root, point, "ext4"])
      assert.isEmpty(others)
    }
  )

  it("takes a dash for the end of the optional fields only where they stand", () => {
    const [mount] = MountTable.read("40 31 0:9 / /mnt rw - tmpfs - rw,size=64k")
    assert.deepInclude(mount, { type: "tmpfs", superOptions: ["rw", "size=64k"] })
  })

  it("passes over what is no line of it", () => {
    assert.deepStrictEqual(MountTable.read("\n77 51 0:39 / /\nproc /proc proc rw 0 0\n"), [])
  })

  it("finds the innermost mount that holds a path", () => {
    assert.strictEqual(MountTable.holding(inAContainer, "/var/lib/esb/state")?.point, "/var/lib/esb")
    assert.strictEqual(typeOf("/var/lib/esb"), "ext4")
    assert.strictEqual(typeOf("/var/lib/esb/hidden/away"), "tmpfs")
    assert.strictEqual(typeOf("/mnt/with a space/file"), "xfs")
  })

  it("takes a path that only begins alike for another one", () => {
    assert.strictEqual(MountTable.holding(inAContainer, "/var/lib/esb-other")?.point, "/")
  })

  it("takes the last of several mounts on one place", () => {
    const mounts = [...inAContainer, ...MountTable.read("1 2 0:1 / / rw - ext4 /dev/x rw")]
    assert.strictEqual(MountTable.holding(mounts, "/etc")?.type, "ext4")
  })

  it("finds those on a directory and below, the outermost first", () => {
    const kernel = MountTable.read(
      [
        "1 0 0:1 / /sys ro - sysfs sysfs rw",
        "3 2 0:3 / /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory",
        "2 1 0:2 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs rw",
        "5 1 0:5 / /sys/fs/cgroups ro - tmpfs tmpfs rw"
      ].join("\n")
    )
    const points = (directory: string) => MountTable.within(kernel, directory).map(({ point }) => point)
    assert.deepStrictEqual(points("/sys/fs/cgroup"), ["/sys/fs/cgroup", "/sys/fs/cgroup/memory"])
    assert.strictEqual(points("/").length, kernel.length)
  })

  it("finds nothing where there is nothing to read", () => {
    assert.isUndefined(MountTable.holding(MountTable.read(""), "/var/lib/esb"))
  })
})
