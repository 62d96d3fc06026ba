/** From an engine to a registry. */
import { Effect, Option } from "effect"
import { type ImageReference, at, parse } from "#domain/ImageReference"
import { pinned } from "#domain/MirroredImage"
import { ImageBuilder, type Progress } from "#services/ImageBuilder"
import { Registry } from "#services/Registry"

interface EngineImage {
  /** As the engine has it, and the registry is to have it: `127.0.0.1:5010/esb-hello:latest`. */
  readonly reference: string
  /** `sha256:<64 hex>`: the digest of its configuration or, in newer engines, of its manifest. */
  readonly imageId: string
  readonly progress: Progress
}

export const make = Effect.gen(function* () {
  const builder = yield* ImageBuilder
  const registry = yield* Registry

  const isSame = (name: ImageReference, digest: string, imageId: string) =>
    digest === imageId
      ? Effect.succeed(true)
      : Effect.map(
          registry.manifest(at(name, digest)),
          ({ kind, value }) => kind === "manifest" && value.config.digest === imageId
        )

  /** The image is in the registry when this returns, named there by digest. It is not sent where it is there already. */
  return Effect.fnUntraced(function* ({ imageId, progress, reference }: EngineImage) {
    const name = yield* Effect.fromResult(parse(reference))
    const present = yield* registry.resolve(name).pipe(
      Effect.map(({ digest }) => Option.some(digest)),
      Effect.catchTag("ImageNotFound", () => Effect.succeedNone)
    )
    if (Option.isSome(present) && (yield* isSame(name, present.value, imageId))) {
      return { image: pinned(name, present.value), isSent: false }
    }
    yield* builder.push(reference, progress)
    const { digest } = yield* registry.resolve(name)
    return { image: pinned(name, digest), isSent: true }
  })
})
