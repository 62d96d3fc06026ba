/**
 * A frozen process of a control group of the first version does not hear that it is killed, and a container with one in it does
 * not end: an engine would try in vain. The second version knows better.
 */
import { Effect } from "effect"
import { Machine } from "#services/Machine"
import type { RuntimeNodeSettings } from "./Settings.ts"

/** A container sees its own groups there, and no others. */
const directory = "/sys/fs/cgroup/freezer"
const thawed = "THAWED"

const thaw = Effect.fnUntraced(function* (path: string) {
  const { read, write } = yield* Machine
  if ((yield* read(path)).trim() !== thawed) yield* write(path, thawed)
})

/** For the end of the container. On the machine itself workers stay, and stay as they are. */
export const release = Effect.fn("RuntimeNode.releaseFrozenWorkers")(function* ({ imageRuntime }: RuntimeNodeSettings) {
  const { exists, run } = yield* Machine
  if (imageRuntime === undefined || !(yield* exists(directory))) return
  const found = yield* Effect.orElseSucceed(
    run("find", directory, "-mindepth", "2", "-name", "freezer.state"),
    () => ""
  )
  // One that has gone meanwhile needs nothing any more.
  for (const path of found.split("\n").filter(Boolean)) yield* Effect.ignore(thaw(path))
})
