/** The kernel's freezer of the second version, on this machine's own hierarchy, beside which an older one may have the say. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as CgroupFreezer from "#layers/containerd/CgroupFreezer"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"
import * as Mounts from "#test/support/Mounts"

const mounted = (): string | undefined =>
  Mounts.table().find(({ root, type }) => root === "/" && type === "cgroup2")?.point

const untilEmpty = (directory: string) =>
  eventually(
    "nobody is in the group",
    Effect.sync(() => readFileSync(join(directory, "cgroup.procs"), "utf8")),
    (text) => text === ""
  )

/** A process that counts, in a group that is called so. */
const counting = Effect.acquireRelease(
  Effect.promise(async () => {
    const name = `esb-test-${randomBytes(4).toString("hex")}`
    const directory = join(mounted() ?? assert.fail("no control groups of the second version are mounted"), name)
    mkdirSync(directory)
    const child = spawn("/bin/sh", ["-c", "while :; do echo; sleep 0.01; done"], {
      stdio: ["ignore", "pipe", "ignore"]
    })
    const pid = child.pid ?? assert.fail("no shell")
    writeFileSync(join(directory, "cgroup.procs"), String(pid))
    let lines = 0
    child.stdout.on("data", (chunk: Buffer) => (lines += chunk.length))
    return { name, directory, child, pid, lines: () => lines }
  }),
  ({ child, directory }) =>
    Effect.gen(function* () {
      child.kill("SIGKILL")
      yield* untilEmpty(directory)
      rmdirSync(directory)
    })
)

describe("a freezer of the second version", needs("containerd"), () => {
  it.live("stops everything in its group, and lets it go on", () =>
    Effect.gen(function* () {
      const { directory, lines, name, pid } = yield* counting
      const place = CgroupFreezer.find(pid, name) ?? assert.fail("no freezer")
      assert.deepStrictEqual(place, { version: 2, directory })
      assert.isFalse(CgroupFreezer.isFrozen(place))
      yield* eventually("it counts", Effect.sync(lines), (count) => count > 0)
      yield* CgroupFreezer.freeze(place)
      assert.isTrue(CgroupFreezer.isFrozen(place))
      yield* Effect.sleep(50)
      const stood = lines()
      yield* Effect.sleep(100)
      assert.strictEqual(lines(), stood)
      yield* CgroupFreezer.thaw(place)
      assert.isFalse(CgroupFreezer.isFrozen(place))
      yield* eventually("it counts on", Effect.sync(lines), (count) => count > stood)
    }).pipe(Effect.scoped)
  )

  it.live("lets a group in which nobody is left stand still no longer, and makes none that is gone", () =>
    Effect.gen(function* () {
      const { child, directory, name, pid } = yield* counting
      const place = CgroupFreezer.find(pid, name) ?? assert.fail("no freezer")
      yield* CgroupFreezer.freeze(place)
      child.kill("SIGKILL")
      yield* untilEmpty(directory)
      assert.isTrue(CgroupFreezer.isFrozen(place))
      yield* CgroupFreezer.thawEmpty(`/${name}`)
      assert.isFalse(CgroupFreezer.isFrozen(place))
      yield* CgroupFreezer.thawEmpty(`/${name}-gone`)
      assert.isFalse(existsSync(`${directory}-gone`))
    }).pipe(Effect.scoped)
  )

  it.live("is nobody's whose group is called otherwise, and of no process that is gone", () =>
    Effect.gen(function* () {
      const { name, pid } = yield* counting
      assert.isUndefined(CgroupFreezer.find(pid, "another"))
      assert.isUndefined(CgroupFreezer.find(process.pid, name))
      assert.isUndefined(CgroupFreezer.find(4_194_305, name))
    }).pipe(Effect.scoped)
  )

  it.live("says so when its group is gone", () =>
    Effect.gen(function* () {
      const gone = { version: 2, directory: "/sys/fs/cgroup/esb-test-nobody" } as const
      assert.isFalse(CgroupFreezer.isFrozen(gone))
      assert.include((yield* Effect.flip(CgroupFreezer.freeze(gone))).message, "ENOENT")
      assert.include((yield* Effect.flip(CgroupFreezer.thaw(gone))).message, "ENOENT")
    })
  )
})
