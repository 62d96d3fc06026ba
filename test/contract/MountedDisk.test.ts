/** What a look into a disk leaves behind when the disk does not answer. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, readdirSync, readFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as MountedDisk from "#layers/containerd/MountedDisk"
import * as PipeStock from "#layers/containerd/PipeStock"
import { needs } from "#test/support/Engines"
import { eventually } from "#test/support/Eventually"

/** Processes that were told of a path. */
const toldOf = (path: string) =>
  Effect.sync(() =>
    readdirSync("/proc").filter((name) => {
      try {
        return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, "utf8").includes(path)
      } catch {
        // It has ended meanwhile.
        return false
      }
    })
  )

describe("a mounted disk", { ...needs("containerd"), timeout: 30_000 }, () => {
  it.live("is given up, with every process that waits for it, when it does not answer", () =>
    Effect.gen(function* () {
      const directory = mkdtempSync(join(tmpdir(), "disk-"))
      const source = join(directory, "pipe")
      const { place } = yield* PipeStock.make(join(directory, "stock"))
      // Whoever opens it waits for somebody at the other end.
      yield* place(source)
      const disk = { type: "ext4", source, options: ["loop", "rw"] }
      const looked = Effect.scoped(MountedDisk.root(disk, directory))
      const outcome = yield* Effect.timeoutOption(looked, 500)
      assert.strictEqual(outcome._tag, "None")
      yield* eventually("nobody waits for it", toldOf(source), ({ length }) => length === 0)
    }).pipe(Effect.scoped)
  )
})
