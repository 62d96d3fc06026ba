/** Workers that are frozen and thawed, as their owner wishes, one step at a time: each by the way that was chosen at its start. */
import { Effect } from "effect"
import { RuntimeUnavailable } from "#domain/Failure"
import * as CgroupFreezer from "./CgroupFreezer.ts"
import { ContainerdApi } from "./ContainerdApi.ts"
import type { ContainerdFailure } from "./ContainerdFailure.ts"
import type { ContainerEnds } from "./ContainerEnds.ts"
import type { ContainerdWorker } from "./ContainerdWorker.ts"
import { Status } from "./generated/containerd/tasks_pb.ts"
import type { TaskCalls } from "./Tasks.ts"

/** containerd may have done it, or may do it yet. */
const isLost = (failure: ContainerdFailure | RuntimeUnavailable): boolean =>
  failure._tag === "ContainerdFailure" && failure.kind === "lost"

export const make = Effect.fnUntraced(function* (tasks: TaskCalls, ends: ContainerEnds) {
  const { isReachable } = yield* ContainerdApi

  /** Asked for twice it is refused, in words of the runtime's own: the task itself tells what has become of it. */
  const byContainerd = (name: string, isPaused: boolean) =>
    (isPaused ? tasks.pause(name) : tasks.resume(name)).pipe(
      Effect.catchIf(
        ({ kind }) => kind === "refused",
        (failure) =>
          Effect.flatMap(tasks.find(name), (task) =>
            task?.status === (isPaused ? Status.PAUSED : Status.RUNNING) ? Effect.void : Effect.fail(failure)
          )
      )
    )

  const ask = (
    held: ContainerdWorker,
    isPaused: boolean
  ): Effect.Effect<void, ContainerdFailure | RuntimeUnavailable> => {
    const { freezer, name } = held.container
    const byKernel = isPaused ? CgroupFreezer.freeze : CgroupFreezer.thaw
    const asked: Effect.Effect<void, ContainerdFailure | RuntimeUnavailable> =
      freezer === undefined ? byContainerd(name, isPaused) : byKernel(freezer)
    // Nobody would know how it is where this was broken off; neither takes longer than its limit.
    return asked.pipe(
      // One whose pause was not answered may be frozen: who wakes it asks for that in any case.
      Effect.tapError((failure) => Effect.sync(() => void (held.isFrozen ||= isPaused && isLost(failure)))),
      Effect.andThen(Effect.sync(() => void (held.isFrozen = isPaused))),
      Effect.uninterruptible
    )
  }

  const runs = ({ container }: ContainerdWorker): boolean => container.exit === undefined && !container.isRemoved

  const set = (held: ContainerdWorker, isPaused: boolean): Effect.Effect<void, RuntimeUnavailable> =>
    Effect.gen(function* () {
      const { container } = held
      if (held.isFrozen !== isPaused && runs(held)) {
        yield* ask(held, isPaused).pipe(
          // It has ended, perhaps, and nobody has said so yet.
          Effect.tapError(() => Effect.ignore(ends.look(container))),
          Effect.mapError(
            (cause) =>
              new RuntimeUnavailable({ detail: cause.message, cause, ...(isReachable() ? {} : { isAway: true }) })
          )
        )
      }
      if (!runs(held)) return yield* new RuntimeUnavailable({ detail: `container ${container.name} is not running` })
      held.isPaused = isPaused
    }).pipe(held.turn.withPermit)

  /** A worker that its owner believes to be frozen, and that runs for a moment. By now its owner may have woken it. */
  const again = (held: ContainerdWorker): Effect.Effect<void> =>
    Effect.suspend(() => (held.isPaused && !held.isFrozen && runs(held) ? ask(held, true) : Effect.void)).pipe(
      held.turn.withPermit,
      // It runs on, which costs a little and harms nobody.
      Effect.ignore({ log: "Debug" })
    )

  /** Frozen, it would not hear that it ends. The turn is the caller's. */
  const thaw = (held: ContainerdWorker) =>
    Effect.suspend(() => (held.isFrozen && runs(held) ? ask(held, false) : Effect.void))

  return { set, again, thaw }
})
