/**
 * External extensions of a worker: started in its container beside its runtime, as AWS's platform does, with its user, its
 * environment and its log. One that ends takes the container with it.
 */
import { Deferred, Effect } from "effect"
import * as ContainerExtensions from "#domain/ContainerExtensions"
import type { EngineContainer } from "#services/ContainerEngine"

/** Started when this returns, and followed for as long as the scope lives. */
export const start = Effect.fnUntraced(function* (container: EngineContainer, names: ReadonlyArray<string>) {
  let isRetired = false

  const follow = Effect.fnUntraced(function* (name: string, index: number) {
    const ended = yield* Deferred.make<void>()
    const started = yield* container.startExtension(name, index)
    const fate = Effect.gen(function* () {
      const code = yield* started.ended
      yield* Deferred.succeed(ended, undefined)
      if (code === undefined) return
      if (ContainerExtensions.mayHaveBeenTaken(code)) yield* Effect.sleep(ContainerExtensions.endsTogetherMs)
      if (!isRetired) yield* container.failBy(name, code)
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
