/** Containers that are frozen and thawed, each by the way that was chosen at its start. */
import { Effect } from "effect"
import type { RuntimeUnavailable } from "#domain/Failure"
import * as CgroupFreezer from "./CgroupFreezer.ts"
import type { Container } from "./ContainerdContainer.ts"
import type { ContainerdFailure } from "./ContainerdFailure.ts"
import type { ContainerEnds } from "./ContainerEnds.ts"
import { Status } from "./generated/containerd/tasks_pb.ts"
import type { TaskCalls } from "./Tasks.ts"

export const make = (tasks: TaskCalls, ends: ContainerEnds) => {
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

  const ask = (container: Container, isPaused: boolean): Effect.Effect<void, ContainerdFailure | RuntimeUnavailable> =>
    Effect.suspend((): Effect.Effect<void, ContainerdFailure | RuntimeUnavailable> => {
      const { freezer, name } = container
      const byKernel = isPaused ? CgroupFreezer.freeze : CgroupFreezer.thaw
      return freezer === undefined ? byContainerd(name, isPaused) : byKernel(freezer)
    }).pipe(
      // It has ended, perhaps, and nobody has said so yet.
      Effect.tapError(() => Effect.ignore(ends.look(container))),
      // Nobody would know how it is where this was broken off; neither way takes longer than its limit.
      Effect.uninterruptible
    )

  return {
    freeze: (container: Container) => ask(container, true),
    thaw: (container: Container) => ask(container, false)
  }
}
