/**
 * Images that templates name, in the registry of the stack. One comes from its own registry, for the platform of this machine
 * alone, or from the engine when its name has no registry and the engine has it. What its tag stands for is asked of its
 * registry each time, so that a tag that has moved is a new image; a digest is never asked for again once it has been copied.
 */
import { Cache, Effect, Option } from "effect"
import type { RegistryUnavailable } from "#domain/Failure"
import * as FunctionImage from "#domain/FunctionImage"
import type { Platform } from "#domain/ImageManifest"
import { at, type ImageReference, print } from "#domain/ImageReference"
import { markOf, pinned, plan, type Prewarm } from "#domain/MirroredImage"
import { ImageBuilder, type Progress } from "#services/ImageBuilder"
import { Registry } from "#services/Registry"
import * as ImagePublishing from "./ImagePublishing.ts"
import { explain } from "./ImageUnavailable.ts"

export interface MirrorOptions {
  readonly naming: FunctionImage.ImageNaming
  readonly prewarm: Prewarm
  readonly progress: Progress
  readonly warn: (line: string) => void
}

export interface MirroredFunction {
  /** What workers are started from. */
  readonly image: string
  /** `given`: it is not copied. */
  readonly outcome: "copied" | "unchanged" | "given"
}

/** Whose workers these will be: those of the engine of this machine. */
const platform: Platform = { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch }

/** No template names more. */
const mostImages = 10_000

export const make = Effect.fnUntraced(function* ({ naming, prewarm, progress, warn }: MirrorOptions) {
  const registry = yield* Registry
  const builder = yield* ImageBuilder
  const publish = yield* ImagePublishing.make
  const own = naming.registry

  const found = (image: ImageReference) =>
    registry.resolve(image).pipe(
      Effect.map(({ digest }) => Option.some(digest)),
      Effect.catchTag("ImageNotFound", () => Effect.succeedNone)
    )

  /** The tag that people read, and that counts while the source is away, is that of the copy that was made last. */
  const retag = Effect.fnUntraced(function* (copy: ImageReference, digest: string) {
    if (copy.tag === undefined || Option.getOrUndefined(yield* found(copy)) === digest) return
    yield* registry.putManifest(copy, yield* registry.manifest(at(copy, digest)))
  })

  const copy = Effect.fnUntraced(function* (from: ImageReference, to: ImageReference) {
    const current = from.digest ?? (yield* registry.resolve(from)).digest
    const mark = markOf(to, current)
    const present = prewarm === "all" ? Option.none() : yield* found(mark)
    if (Option.isSome(present)) {
      yield* retag(to, present.value)
      return { image: pinned(to, present.value), outcome: "unchanged" } satisfies MirroredFunction
    }
    progress(`copying ${print(from)} to ${own}`)
    const wanted = yield* registry.resolve(at(from, current), platform)
    const { digest } = yield* registry.mirror(at(from, wanted.digest), mark)
    yield* retag(to, digest)
    return { image: pinned(to, digest), outcome: "copied" } satisfies MirroredFunction
  })

  /** A registry that is away must not keep anything from being deployed that needs nothing of it. */
  const withoutSource = Effect.fnUntraced(function* (to: ImageReference, failure: RegistryUnavailable) {
    const isOwn = failure.registry === to.host || to.tag === undefined
    const last = prewarm === "all" || isOwn ? Option.none() : yield* found(to)
    if (Option.isNone(last)) return yield* failure
    warn(`${failure.message}: ${print(to)} is used as it was copied last`)
    return { image: pinned(to, last.value), outcome: "unchanged" } satisfies MirroredFunction
  })

  const copies = yield* Cache.make({
    capacity: mostImages,
    lookup: (imageUri: string) =>
      Effect.gen(function* () {
        const planned = yield* Effect.fromResult(plan(imageUri, { prewarm, registry: own }))
        if (planned._tag === "Keep") return { image: imageUri, outcome: "given" } satisfies MirroredFunction
        if (planned._tag === "Pin") {
          const { digest } = yield* registry.resolve(planned.image)
          return { image: pinned(planned.image, digest), outcome: "given" } satisfies MirroredFunction
        }
        return yield* copy(planned.from, planned.to).pipe(
          Effect.catchTag("RegistryUnavailable", (failure) => withoutSource(planned.to, failure))
        )
      })
  })

  /** `undefined` when the engine has no such image. */
  const fromEngine = Effect.fnUntraced(function* (functionName: string, imageUri: string) {
    const imageId = yield* builder.find(imageUri)
    if (imageId === undefined) return undefined
    const reference = FunctionImage.reference(naming, functionName)
    yield* builder.tag(imageUri, reference)
    const { image, isSent } = yield* publish({ reference, imageId, progress })
    return { image, outcome: isSent ? "copied" : "unchanged" } satisfies MirroredFunction
  })

  /** The image of a function under the name that workers are started from. Two functions of one image share the copy. */
  return Effect.fnUntraced(
    function* (functionName: string, imageUri: string) {
      const planned = yield* Effect.fromResult(plan(imageUri, { prewarm, registry: own }))
      const isEngineFirst = planned._tag === "Copy" && planned.isEngineFirst
      return (
        (isEngineFirst ? yield* fromEngine(functionName, imageUri) : undefined) ?? (yield* Cache.get(copies, imageUri))
      )
    },
    (effect, _, imageUri) => Effect.mapError(effect, (failure) => explain(imageUri, own, failure))
  )
})
