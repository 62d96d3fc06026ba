/**
 * Containers of a Docker Engine. A container's name is what it goes by: the engine takes it as well as its own id. Containers of a
 * stack are told apart by their labels, and are all in one network.
 */
import { Effect, FiberSet, Layer } from "effect"
import { ContainerEngine, type EngineContainer, type EngineImage } from "#services/ContainerEngine"
import * as ContainerEnds from "./ContainerEnds.ts"
import * as ContainerEvents from "./ContainerEvents.ts"
import * as ContainerExtensions from "./ContainerExtensions.ts"
import * as ContainerFreeze from "./ContainerFreeze.ts"
import * as ContainerImages from "./ContainerImages.ts"
import * as ContainerMeter from "./ContainerMeter.ts"
import * as ContainerStart from "./ContainerStart.ts"
import { DockerApi } from "./DockerApi.ts"
import type { Container } from "./DockerContainer.ts"
import { defaults, type DockerOptions, type DockerPlaces, type DockerSettings } from "./DockerSettings.ts"
import * as FoundContainers from "./FoundContainers.ts"
import * as ImageExtensions from "./ImageExtensions.ts"
import * as StackContainers from "./StackContainers.ts"
import type { WorkersNetwork } from "./WorkersNetwork.ts"

const make = Effect.fnUntraced(function* (settings: DockerSettings) {
  const { identity, reconnectEveryMs } = settings
  const context = yield* Effect.context<DockerApi | WorkersNetwork>()
  const { call, engine, isReachable } = yield* DockerApi
  const images = yield* ContainerImages.make(settings)
  const extensionsOf = yield* ImageExtensions.make(settings)
  const ends = yield* ContainerEnds.make(settings)
  const starts = yield* ContainerStart.make(settings, ends)
  const freezer = yield* ContainerFreeze.make(ends)
  const extensions = yield* ContainerExtensions.make(settings)
  const fork = yield* FiberSet.makeRuntime<never>()

  const missed = new Set<Container>()
  /** Once at a time: an engine that is away is asked again for a moment. */
  const onMissed = (container: Container): void => {
    if (container.exit !== undefined || missed.has(container)) return
    missed.add(container)
    const look = Effect.ignore(ends.missed(container), { log: "Debug" })
    fork(
      Effect.ensuring(
        look,
        Effect.sync(() => missed.delete(container))
      )
    )
  }
  const meter = yield* ContainerMeter.make(onMissed)

  /** What is known of a container, and what can be done with it. */
  const handle = (container: Container): EngineContainer => {
    const { name } = container
    const itself = engine.getContainer(name)
    return Object.assign(container, {
      networkName: undefined,
      run: starts.run(container),
      look: ends.look(container),
      freeze: freezer.freeze(container),
      thaw: freezer.thaw(container),
      // No limit of ours: an engine that has nothing to tell yet would be taken for one that is away.
      ended: () => call(() => itself.wait()),
      remove: starts.removeOnce(container),
      usage: meter.usage(container),
      measure: meter.measure(container),
      isDearToMeasure: () => meter.isDear(container),
      limitCpu: (quota: number, period: number) =>
        call((abortSignal) => itself.update({ CpuPeriod: period, CpuQuota: quota, abortSignal })),
      startExtension: (extension: string) => extensions.start(container, extension),
      failBy: (extension: string, code: number) => extensions.fail(container, extension, code)
    })
  }

  const image = Effect.fnUntraced(function* (reference: string) {
    const found = yield* images.get(reference)
    return {
      digest: found.digest,
      entrypoint: found.entrypoint,
      extensionNames: (name) => extensionsOf(found, name),
      prepare: (order) => Effect.map(starts.prepare(order, found), handle)
    } satisfies EngineImage
  })

  return ContainerEngine.of({
    title: "the Docker Engine",
    isReachable,
    image,
    list: Effect.provide(FoundContainers.list(identity, starts, handle), context),
    listen: ({ onConnected, onEnd, onFrozen }) =>
      Effect.provide(
        ContainerEvents.listen({
          labels: StackContainers.labels(identity),
          reconnectEveryMs,
          onConnected,
          onEnd,
          onFrozen
        }),
        context
      ),
    // All of them share one, which is somebody else's affair.
    removeNetworks: () => Effect.void
  })
})

export const layer = (
  given: DockerPlaces & Partial<DockerOptions>
): Layer.Layer<ContainerEngine, never, DockerApi | WorkersNetwork> =>
  Layer.effect(ContainerEngine, make({ ...defaults, ...given }))
