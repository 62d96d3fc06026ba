/**
 * Containers of a containerd, each in a network namespace that was prepared for it. Containers of a stack are told apart by their
 * labels, which is also where their networks are found again.
 */
import { Effect, Layer } from "effect"
import { RuntimeUnavailable } from "#domain/Failure"
import { Cni } from "#services/Cni"
import { ContainerEngine, type EngineContainer, type EngineImage } from "#services/ContainerEngine"
import type { Registry } from "#services/Registry"
import * as CgroupParents from "./CgroupParents.ts"
import * as ContainerEnds from "./ContainerEnds.ts"
import * as ContainerExtensions from "./ContainerExtensions.ts"
import * as ContainerFreeze from "./ContainerFreeze.ts"
import * as ContainerStart from "./ContainerStart.ts"
import { ContainerdApi } from "./ContainerdApi.ts"
import type { Container } from "./ContainerdContainer.ts"
import * as ContainerdImages from "./ContainerdImages.ts"
import {
  type ContainerdOptions,
  type ContainerdPlaces,
  type ContainerdSettings,
  defaultsOf
} from "./ContainerdSettings.ts"
import { startOf } from "./ContainerSpec.ts"
import * as FoundContainers from "./FoundContainers.ts"
import * as ImageLook from "./ImageLook.ts"
import * as TaskEvents from "./TaskEvents.ts"
import * as Tasks from "./Tasks.ts"

const make = Effect.fnUntraced(function* (
  settings: ContainerdSettings,
  imageSettings: Partial<ContainerdImages.ContainerdImageSettings>
) {
  const { cgroupParent, identity, reconnectEveryMs, snapshotter } = settings
  const context = yield* Effect.context<ContainerdApi | Cni>()
  const { isReachable } = yield* ContainerdApi
  const cni = yield* Cni
  const images = yield* ContainerdImages.make({ ...imageSettings, snapshotter })
  const lookInto = yield* ImageLook.make(settings)
  const tasks = yield* Tasks.make(settings)
  const ends = ContainerEnds.make(settings, tasks)
  const starts = yield* ContainerStart.make(settings, tasks)
  const freezer = ContainerFreeze.make(tasks, ends)
  const extensions = yield* ContainerExtensions.make(settings, tasks, ends)
  yield* Effect.addFinalizer(() => CgroupParents.removeUnused(cgroupParent))

  /** What is known of a container, and what can be done with it. */
  const handle = (container: Container): EngineContainer => {
    const { door, name, network } = container
    return Object.assign(container, {
      networkName: network.name,
      run: Effect.as(starts.run(container), network.ipAddress),
      // Nobody hears of it who freezes a container past us, so that nobody is believed to have.
      look: Effect.as(ends.look(container), false),
      freeze: freezer.freeze(container),
      thaw: freezer.thaw(container),
      ended: (limitMs: number) => tasks.ended(name, limitMs),
      remove: starts.removeOnce(container),
      usage: tasks.usage(name),
      measure: tasks.usage(name).pipe(
        Effect.map(({ memoryBytes }) => door.measured(memoryBytes)),
        // It has ended, or containerd is away: both are told elsewhere.
        Effect.ignore
      ),
      isDearToMeasure: () => false,
      limitCpu: (quota: number, period: number) => tasks.limitCpu(name, quota, period),
      startExtension: (extension: string, index: number) => extensions.start(container, extension, index),
      failBy: (extension: string, code: number) => extensions.fail(container, extension, code)
    })
  }

  const image = Effect.fnUntraced(function* (reference: string) {
    const found = yield* images.get(reference)
    const entrypoint = startOf(found.config)
    if (entrypoint.length === 0) {
      return yield* new RuntimeUnavailable({ detail: `image ${found.name} does not say what to start` })
    }
    const { extensionNames, user } = yield* lookInto(found)
    return {
      digest: found.digest,
      entrypoint,
      extensionNames: () => Effect.succeed(extensionNames),
      prepare: (order) => Effect.map(starts.prepare(order, found, user), handle)
    } satisfies EngineImage
  })

  return ContainerEngine.of({
    title: "containerd",
    isReachable,
    image,
    list: Effect.provide(FoundContainers.list(identity, tasks, starts, handle), context),
    listen: ({ onConnected, onEnd, onOutOfMemory }) =>
      Effect.provide(TaskEvents.listen({ reconnectEveryMs, onConnected, onEnd, onOutOfMemory }), context),
    removeNetworks: (inUse) => Effect.asVoid(cni.reconcile(inUse))
  })
})

export const layer = (
  given: ContainerdPlaces & Partial<ContainerdOptions>,
  images: Partial<ContainerdImages.ContainerdImageSettings> = {}
): Layer.Layer<ContainerEngine, RuntimeUnavailable, ContainerdApi | Cni | Registry> =>
  Layer.effect(ContainerEngine, make({ ...defaultsOf(given), ...given }, images))
