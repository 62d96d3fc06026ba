/** What a worker's container is to be, as its image and its function say: all that has to be known before anything is made. */
import { Effect, Result } from "effect"
import { RuntimeUnavailable, RuntimeUnsupported } from "#domain/Failure"
import type { ContainerUser } from "#domain/ContainerLimits"
import type { OwnerId, WorkerSpec } from "#domain/Worker"
import * as WorkerSettings from "#domain/WorkerSettings"
import { WorkerProtocols } from "#services/WorkerProtocols"
import type { ContainerdImage } from "./ContainerdImages.ts"
import { startOf } from "./ContainerSpec.ts"
import type { Surroundings } from "./FormerContainers.ts"
import * as ImageLook from "./ImageLook.ts"

/** Code in a bundle, which only child processes run. */
const artifactPrefix = "artifact:"

export interface WorkerPlan {
  readonly spec: WorkerSpec
  readonly owner: OwnerId
  readonly image: ContainerdImage
  readonly imageUser: ContainerUser | undefined
  readonly settings: WorkerSettings.WorkerSettings
  /** External extensions of the image, which we start. */
  readonly extensionNames: ReadonlyArray<string>
}

export const make = Effect.fnUntraced(function* ({ images, settings }: Pick<Surroundings, "images" | "settings">) {
  const protocols = yield* WorkerProtocols
  const lookInto = yield* ImageLook.make(settings)

  const lookAt = Effect.fnUntraced(function* (image: ContainerdImage) {
    if (startOf(image.config).length === 0) {
      return yield* new RuntimeUnavailable({ detail: `image ${image.name} does not say what to start` })
    }
    const { extensionNames, user: imageUser } = yield* lookInto(image)
    // Where an emulator is spoken to, it is the emulator that starts them.
    return { imageUser, extensionNames: protocols.namesDoor ? extensionNames : [] }
  })

  return Effect.fnUntraced(function* (spec: WorkerSpec, owner: OwnerId) {
    if (spec.image.startsWith(artifactPrefix)) {
      const detail = "containerd runs images; build one of the function, or run it as a child process"
      return yield* new RuntimeUnsupported({ runtime: spec.image, detail })
    }
    const read = WorkerSettings.fromEnvironment(spec.environment)
    if (Result.isFailure(read)) return yield* new RuntimeUnavailable({ detail: read.failure })
    const image = yield* images.get(spec.image)
    return { spec, owner, image, settings: read.success, ...(yield* lookAt(image)) } satisfies WorkerPlan
  })
})
