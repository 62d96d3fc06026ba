/** How containers end: noticed by containerd's events, looked up once, and told to their doors when their output is read. */
import { Effect } from "effect"
import * as ContainerExtensions from "#domain/ContainerExtensions"
import * as WorkerExit from "#domain/WorkerExit"
import type { ContainerdFailure } from "./ContainerdFailure.ts"
import type { ContainerdSettings } from "./ContainerdSettings.ts"
import type { Container } from "./ContainerdContainer.ts"
import { Status } from "./generated/containerd/tasks_pb.ts"
import type { TaskCalls } from "./Tasks.ts"

/** As of one that was killed. */
const killedCode = 137

export const make = ({ lastOutputMs }: ContainerdSettings, tasks: TaskCalls) => {
  /** The kernel's own count, where nobody has told: the word of it may come after that of the end, or not at all. */
  const lookForMemory = (container: Container) =>
    tasks.usage(container.name).pipe(
      Effect.map(({ oomEvents }) => {
        if (oomEvents > 0) container.wasOutOfMemory = true
      }),
      // What counted is gone already, or was counted by nobody: then it was killed, which is true as well.
      Effect.ignore({ log: "Debug" })
    )

  const record = (container: Container, code: number, atUnixSeconds: number) =>
    Effect.gen(function* () {
      yield* Effect.timeoutOption(container.output.ended, lastOutputMs)
      if (code === killedCode && !container.wasOutOfMemory) yield* lookForMemory(container)
      if (container.exit !== undefined) return
      const { crash, wasOutOfMemory } = container
      const status =
        crash === undefined
          ? WorkerExit.ofCode(code, wasOutOfMemory)
          : ContainerExtensions.crashOf(crash.extension, crash.code, wasOutOfMemory)
      container.exit = { status, code: crash?.code ?? code, atUnixSeconds }
      container.door.exited(status)
    })

  /** Looks whether a container that was started has ended. One that containerd does not know any more was removed by a stranger. */
  const look = (container: Container): Effect.Effect<void, ContainerdFailure> =>
    Effect.suspend(() => {
      if (container.exit !== undefined || container.isRemoved) return Effect.void
      return Effect.flatMap(tasks.find(container.name), (task) => {
        const now = Math.floor(Date.now() / 1_000)
        if (task === undefined) return container.isRemoved ? Effect.void : record(container, killedCode, now)
        if (task.status !== Status.STOPPED) return Effect.void
        return record(container, task.exitStatus, Number(task.exitedAt?.seconds ?? now))
      })
    })

  return { look }
}

export type ContainerEnds = ReturnType<typeof make>
