/** Whether the kernel counts swap, on directories that are laid out as the kernel's. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import * as SwapCount from "#layers/containerd/SwapCount"

/** Files as they lie below the mount of control groups. */
const isCounted = (...files: ReadonlyArray<string>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "esb-groups-"))),
    (root) =>
      Effect.sync(() => {
        for (const file of files) {
          mkdirSync(dirname(join(root, file)), { recursive: true })
          writeFileSync(join(root, file), "")
        }
        return SwapCount.isCounted(root)
      }),
    (root) => Effect.sync(() => rmSync(root, { recursive: true }))
  )

describe("swap", () => {
  it.effect("is counted by control groups of the first version where they have the file for it", () =>
    Effect.gen(function* () {
      assert.isTrue(yield* isCounted("memory/memory.memsw.limit_in_bytes", "unified/cgroup.controllers"))
      assert.isFalse(yield* isCounted("memory/memory.limit_in_bytes", "unified/cgroup.controllers"))
    })
  )

  it.effect("is counted by those of the second unless groups that count memory have no file for it", () =>
    Effect.gen(function* () {
      const machine = ["cgroup.controllers", "memory.stat", "init.scope/cgroup.procs"]
      assert.isTrue(yield* isCounted(...machine))
      assert.isTrue(yield* isCounted(...machine, "system.slice/memory.current", "system.slice/memory.swap.max"))
      assert.isFalse(yield* isCounted(...machine, "system.slice/memory.current"))
    })
  )

  it.effect("is counted in a container, whose root is a group as all others, as on its machine", () =>
    Effect.gen(function* () {
      assert.isTrue(yield* isCounted("cgroup.controllers", "memory.current", "memory.swap.max"))
      assert.isFalse(yield* isCounted("cgroup.controllers", "memory.current", "esb/memory.stat"))
    })
  )
})
