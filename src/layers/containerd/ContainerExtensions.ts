/**
 * External extensions of a container: started in it beside its runtime, as AWS's platform does, with its user, its environment
 * and its log. One that ends takes the container with it.
 */
import { Deferred, Effect, Schedule } from "effect"
import * as ContainerExtensions from "#domain/ContainerExtensions"
import type { ContainerdFailure } from "./ContainerdFailure.ts"
import type { Container } from "./ContainerdWorker.ts"
import type { Surroundings } from "./FormerContainers.ts"
import { Status } from "./generated/containerd/tasks_pb.ts"
import * as TaskProcesses from "./TaskProcesses.ts"

/** As shells have it of a program that they cannot run. */
const notStartedCode = 126

export const make = Effect.fnUntraced(function* ({ ends, settings, tasks }: Surroundings) {
  const processes = yield* TaskProcesses.make
  const again = Schedule.spaced(settings.reconnectEveryMs)

  /** `undefined`: it is over. */
  const findRunning = (container: Container) =>
    Effect.map(tasks.find(container.name), (task) => (task?.status === Status.STOPPED ? undefined : task))

  /** It has ended by itself, in a container that runs on: that one has failed, and ends. */
  const crash = Effect.fnUntraced(
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
    (crashed) => Effect.retry(crashed, again),
    Effect.orDie
  )

  /** What has become of one that was not started: its own fault, unless its container has ended, which is told without us. */
  const notStarted = Effect.fnUntraced(function* (container: Container, failure: ContainerdFailure) {
    if (failure.kind !== "refused") return yield* failure
    if ((yield* findRunning(container)) === undefined) return undefined
    container.door.output(Buffer.from(`${failure.message}\n`))
    return notStartedCode
  })

  /** Its exit code, once it has one; `undefined` where nobody knows it, as of a container that is gone. */
  const begin = (container: Container, id: string, name: string) => {
    const named = { container: container.name, id }
    return processes.start(named, `${ContainerExtensions.directory}/${name}`, container.output.path).pipe(
      Effect.as(Effect.orDie(Effect.retry(processes.ended(named), again))),
      Effect.catch((failure) => Effect.map(notStarted(container, failure), Effect.succeed<number | undefined>))
    )
  }

  /** Started when this returns, and followed for as long as the scope lives. */
  return Effect.fnUntraced(function* (container: Container, names: ReadonlyArray<string>) {
    let isRetired = false

    const follow = Effect.fnUntraced(function* (name: string, index: number) {
      const ended = yield* Deferred.make<void>()
      // Names of programs are not always names that containerd takes.
      const end = yield* begin(container, `extension-${index}`, name)
      const fate = Effect.gen(function* () {
        const code = yield* end
        yield* Deferred.succeed(ended, undefined)
        if (code === undefined) return
        if (ContainerExtensions.mayHaveBeenTaken(code)) yield* Effect.sleep(ContainerExtensions.endsTogetherMs)
        if (!isRetired) yield* crash(container, name, code)
      })
      yield* Effect.forkScoped(fate)
      return ended
    })

    const ends = yield* Effect.forEach(names, follow, { concurrency: ContainerExtensions.parallelStarts })
    return {
      retire: () => {
        isRetired = true
      },
      ended: Effect.forEach(ends, Deferred.await, { discard: true })
    } satisfies ContainerExtensions.ContainerExtensions
  })
})
