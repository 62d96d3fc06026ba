/**
 * By which of two ways a container is frozen and thawed: one and the same for all its life, written on its label, because
 * containerd believes what it was told itself and nothing else. The kernel's file is tried for wherever a container has one.
 */
import { Effect } from "effect"
import { RuntimeUnavailable } from "#domain/Failure"
import type { FreezerPlace } from "#domain/FreezerPlace"
import * as CgroupFreezer from "./CgroupFreezer.ts"
import type { ContainerdFailure } from "./ContainerdFailure.ts"
import type { ContainerdSettings } from "./ContainerdSettings.ts"

/** `cgroup`: by the kernel's file. `task`: by containerd. */
export type Freeze = "cgroup" | "task"

export const make = (
  { freeze, runtime }: ContainerdSettings,
  relabel: (name: string, freeze: Freeze) => Effect.Effect<void, ContainerdFailure>
) => {
  /** What a runtime has shown of one container, it is believed to do for the next. */
  let expected: Freeze = freeze === "task" ? "task" : "cgroup"

  /** Of a container that is made but not started, labelled as expected. `undefined`: containerd freezes it. */
  const settle = Effect.fnUntraced(function* (
    name: string,
    pid: number,
    labelled: Freeze
  ): Effect.fn.Return<FreezerPlace | undefined, ContainerdFailure | RuntimeUnavailable> {
    if (labelled === "task") return undefined
    const place = CgroupFreezer.find(pid, name)
    if (place !== undefined) return place
    if (freeze === "cgroup") {
      const why = `runtime ${runtime} gives it no control group of its own that this Agent may write`
      return yield* new RuntimeUnavailable({ detail: `CONTAINERD_FREEZE=cgroup is impossible: ${why}` })
    }
    expected = "task"
    yield* relabel(name, "task")
    return undefined
  })

  return { expected: () => expected, settle }
}
