/** What containerd's snapshotter of disks in plain files works on: an empty file system, and a place for all the others. */
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Disks } from "./Disks.ts"

/** Of one disk: as much as the image of functions needs with all that its workers write. */
const diskMiB = 256

/** Gone with the scope. */
export const make = Effect.gen(function* () {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "esb-disks-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const scratch = join(directory, "scratch")
  const disks = join(directory, "disks")
  writeFileSync(scratch, "")
  truncateSync(scratch, diskMiB * 1024 ** 2)
  execFileSync("mkfs.ext4", ["-q", "-O", "^has_journal", scratch])
  mkdirSync(disks)
  const config = [
    `[plugins."io.containerd.snapshotter.v1.blockfile"]`,
    `scratch_file = "${scratch}"`,
    `root_path = "${disks}"`,
    `fs_type = "ext4"`,
    "mount_options = []"
  ].join("\n")
  const devices = () =>
    execFileSync("losetup", ["--list", "--noheadings", "--output", "BACK-FILE"], { encoding: "utf8" })
      .split("\n")
      .filter((path) => path.startsWith(directory))
  return { snapshotter: "blockfile", root: /^\/dev\/loop\d+ \/ ext4 ro,/, config, devices } satisfies Disks
})
