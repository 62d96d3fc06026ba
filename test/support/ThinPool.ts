/** What containerd's device mapper snapshotter works on: a pool of blocks on two plain files, of which it makes a disk for each snapshot. */
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Disks } from "./Disks.ts"

/** They take no more of this machine than is written to them. */
const sizesMiB = { data: 8192, metadata: 64 }
const sectorsPerMiB = 2048

/** In sectors: what a disk takes of the pool at once, and what is to be left when somebody is told. */
const blockSectors = 128
const lowWaterSectors = 32_768

const command = (name: string, ...args: ReadonlyArray<string>): string =>
  execFileSync(name, args, { encoding: "utf8" }).trim()

/** Gone with the scope. */
const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "esb-pool-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const loopDevice = (path: string, sizeMiB: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      writeFileSync(path, "")
      truncateSync(path, sizeMiB * 1024 ** 2)
      return command("losetup", "--find", "--show", path)
    }),
    (device) => Effect.sync(() => command("losetup", "--detach", device))
  )

/** Names of the disks that the kernel has of a pool. */
const disksOf = (pool: string): ReadonlyArray<string> =>
  command("dmsetup", "ls")
    .split("\n")
    .flatMap((line) => line.split("\t")[0] ?? [])
    .filter((name) => name.startsWith(`${pool}-snap-`))

/** Gone with the scope, with every disk that is left in it. */
export const make = Effect.gen(function* () {
  const directory = yield* temporaryDirectory
  const data = yield* loopDevice(join(directory, "data"), sizesMiB.data)
  const metadata = yield* loopDevice(join(directory, "metadata"), sizesMiB.metadata)
  const pool = `esb-test-${randomBytes(4).toString("hex")}`
  const sectors = sizesMiB.data * sectorsPerMiB
  const table = `0 ${sectors} thin-pool ${metadata} ${data} ${blockSectors} ${lowWaterSectors} 1 skip_block_zeroing`
  yield* Effect.acquireRelease(
    Effect.sync(() => command("dmsetup", "create", pool, "--table", table)),
    () =>
      Effect.sync(() => {
        for (const disk of disksOf(pool)) command("dmsetup", "remove", "--retry", disk)
        command("dmsetup", "remove", "--retry", pool)
      })
  )
  const disks = join(directory, "disks")
  mkdirSync(disks)
  const config = [
    `[plugins."io.containerd.snapshotter.v1.devmapper"]`,
    `pool_name = "${pool}"`,
    `root_path = "${disks}"`,
    `base_image_size = "512MB"`
  ].join("\n")
  return {
    snapshotter: "devmapper",
    root: new RegExp(`^/dev/mapper/${pool}-snap-\\d+ / ext4 ro,`),
    config,
    devices: () => disksOf(pool)
  } satisfies Disks
})
