/** The kernel's files, which a container without all rights is shown and may not write. */
import { Effect } from "effect"
import { readOnlyIn } from "#domain/Mounts"
import { Machine } from "#services/Machine"

const mounts = "/proc/self/mountinfo"

/** Of networks, and of control groups: workers' are made there. */
const directories = ["/proc/sys", "/sys/fs/cgroup"]

/** Made writable, which takes the right to mount. Nothing is done where they are. */
export const open = Effect.gen(function* () {
  const { read, run } = yield* Machine
  const text = yield* read(mounts)
  const closed = directories.flatMap((directory) => readOnlyIn(text, directory))
  yield* Effect.forEach(closed, ({ point }) => run("mount", "-o", "remount,bind,rw", point), { discard: true })
}).pipe(Effect.withSpan("RuntimeNode.openKernelFiles"))
