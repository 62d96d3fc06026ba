/** Extensions of a container as further processes of its task, which write where its first one does. */
import { Effect, Schedule } from "effect"
import * as ContainerExtensions from "#domain/ContainerExtensions"
import type { Container } from "./ContainerdContainer.ts"
import type { ContainerdFailure } from "./ContainerdFailure.ts"
import type { ContainerdSettings } from "./ContainerdSettings.ts"
import type { ContainerEnds } from "./ContainerEnds.ts"
import { Status } from "./generated/containerd/tasks_pb.ts"
import * as TaskProcesses from "./TaskProcesses.ts"
import type { TaskCalls } from "./Tasks.ts"

/** As shells have it of a program that they cannot run. */
const notStartedCode = 126

export const make = Effect.fnUntraced(function* (settings: ContainerdSettings, tasks: TaskCalls, ends: ContainerEnds) {
  const processes = yield* TaskProcesses.make
  const again = Schedule.spaced(settings.reconnectEveryMs)

  /** `undefined`: it is over. */
  const findRunning = (container: Container) =>
    Effect.map(tasks.find(container.name), (task) => (task?.status === Status.STOPPED ? undefined : task))

  /** The container of one that has ended by itself has failed, and ends. */
  const fail = Effect.fnUntraced(
    function* (container: Container, extension: string, code: number) {
      if (container.exit !== undefined || container.isRemoved) return
      const task = yield* findRunning(container)
      if (task === undefined) return
      container.crash ??= { extension, code }
      // Its owner may have frozen it since, and may again before it has heard: then the next try thaws it.
      yield* tasks.kill(task)
      yield* ends.look(container)
    },
    // The container must not go on without it.
    (failed) => Effect.retry(failed, again),
    Effect.orDie
  )

  /** What has become of one that was not started: its own fault, unless its container has ended, which is told without us. */
  const notStarted = Effect.fnUntraced(function* (container: Container, failure: ContainerdFailure) {
    if (failure.kind !== "refused") return yield* failure
    if ((yield* findRunning(container)) === undefined) return undefined
    container.door.output(Buffer.from(`${failure.message}\n`))
    return notStartedCode
  })

  /** Runs when this returns. Names of programs are not always names that containerd takes: it goes by its index. */
  const start = (container: Container, name: string, index: number) => {
    const named = { container: container.name, id: `extension-${index}` }
    return processes.start(named, `${ContainerExtensions.directory}/${name}`, container.output.path).pipe(
      Effect.as({ ended: Effect.orDie(Effect.retry(processes.ended(named), again)) }),
      Effect.catch((failure) => Effect.map(notStarted(container, failure), (code) => ({ ended: Effect.succeed(code) })))
    )
  }

  return { start, fail }
})
