/** What a worker's container is to be, as its image and its function say: all that has to be known before anything is made. */
import { Effect, Result } from "effect"
import { randomBytes } from "node:crypto"
import { RuntimeUnavailable, RuntimeUnsupported } from "#domain/Failure"
import type { OwnerId, WorkerSpec } from "#domain/Worker"
import * as WorkerName from "#domain/WorkerName"
import * as WorkerSettings from "#domain/WorkerSettings"
import { ContainerEngine, type EngineImage } from "#services/ContainerEngine"
import { WorkerProtocols } from "#services/WorkerProtocols"
import type { Surroundings } from "./ContainerWorker.ts"

/** Code in a bundle, which only child processes run. */
const artifactPrefix = "artifact:"

export interface WorkerPlan {
  readonly spec: WorkerSpec
  readonly owner: OwnerId
  readonly image: EngineImage
  readonly settings: WorkerSettings.WorkerSettings
  /** External extensions of the image, which we start. */
  readonly extensionNames: ReadonlyArray<string>
}

/** A name that no other container of the stack has, nor will have. */
export const newName = ({ settings }: Pick<Surroundings, "settings">, { functionName }: WorkerSpec): string =>
  WorkerName.make(settings.identity, functionName, randomBytes(WorkerName.randomBytes))

export const make = Effect.fnUntraced(function* (surroundings: Surroundings) {
  const engine = yield* ContainerEngine
  const protocols = yield* WorkerProtocols
  const { known } = surroundings

  /** Where an emulator is spoken to, it is the emulator that starts them. */
  const extensionsOf = Effect.fnUntraced(function* (image: EngineImage, spec: WorkerSpec) {
    if (!protocols.namesDoor) return []
    const name = newName(surroundings, spec)
    yield* known.claim(name)
    return yield* image.extensionNames(name)
  }, Effect.scoped)

  return Effect.fnUntraced(function* (spec: WorkerSpec, owner: OwnerId) {
    if (spec.image.startsWith(artifactPrefix)) {
      const detail = `${engine.title} runs images; build one of the function, or run it as a child process`
      return yield* new RuntimeUnsupported({ runtime: spec.image, detail })
    }
    const read = WorkerSettings.fromEnvironment(spec.environment)
    if (Result.isFailure(read)) return yield* new RuntimeUnavailable({ detail: read.failure })
    const image = yield* engine.image(spec.image)
    const extensionNames = yield* extensionsOf(image, spec)
    return { spec, owner, image, settings: read.success, extensionNames } satisfies WorkerPlan
  })
})
