/** The kernel's files, which a container without all rights is shown and may not write. */
import { Effect } from "effect"
import * as MountTable from "#domain/MountTable"
import { Machine } from "#services/Machine"

/** Of networks, and of control groups: workers' are made there. */
const directories = ["/proc/sys", "/sys/fs/cgroup"]

/** Made writable, which takes the right to mount. Nothing is done where they are. */
export const open = Effect.gen(function* () {
  const { read, run } = yield* Machine
  const mounts = MountTable.read(yield* read(MountTable.path))
  const closed = directories
    .flatMap((directory) => MountTable.within(mounts, directory))
    .filter(({ options }) => options.includes("ro"))
  yield* Effect.forEach(closed, ({ point }) => run("mount", "-o", "remount,bind,rw", point), { discard: true })
}).pipe(Effect.withSpan("RuntimeNode.openKernelFiles"))
