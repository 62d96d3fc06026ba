/** Images as containerd has them, fetched as the policy says. Nothing of an image is collected while it has a name. */
import { status } from "@grpc/grpc-js"
import { Effect, Result, Semaphore } from "effect"
import { ArtifactNotFound, RegistryUnavailable, RuntimeUnavailable } from "#domain/Failure"
import type { Descriptor } from "#domain/ImageManifest"
import * as ImageReference from "#domain/ImageReference"
import { Registry } from "#services/Registry"
import { ContainerdApi } from "./ContainerdApi.ts"
import { type ContainerdFailure, hasCode } from "./ContainerdFailure.ts"
import { Images } from "./generated/containerd/images_pb.ts"
import * as ImagePull from "./ImagePull.ts"
import { type ContainerdImageSettings, defaults } from "./ImageSettings.ts"
import * as Leases from "./Leases.ts"
import * as SharedWork from "./SharedWork.ts"

export type { ContainerdImageSettings }

/** For finishing, and for clocks that differ, after the limit of a pull. */
const leaseMarginMs = 60_000
/** Images of which we know by heart what they consist of. */
const rememberedImages = 256

export interface ContainerdImage extends ImagePull.UnpackedImage {
  /** Of the image, in containerd. */
  readonly name: string
}

export const make = Effect.fnUntraced(function* (given: Partial<ContainerdImageSettings> = {}) {
  const settings = { ...defaults, ...given }
  const { pullLimitMs, pullPolicy } = settings
  const { call, isReachable } = yield* ContainerdApi
  const registry = yield* Registry
  const leases = yield* Leases.make(pullLimitMs + leaseMarginMs)
  const { completing, isUnpacked } = yield* ImagePull.make(settings, leases)
  const share = yield* SharedWork.make<ContainerdImage, ImagePull.PullFailure>()
  const permits = Semaphore.makeUnsafe(settings.parallelPulls)
  /** By the digest of what a name stands for. */
  const remembered = new Map<string, ImagePull.UnpackedImage>()

  /** What a name stood for when it was last asked for, as it mostly does again: its digest. */
  const expected = new Map<string, string>()

  const set = <A>(map: Map<string, A>, key: string, value: A): void => {
    const [oldest] = map.keys()
    if (map.size >= rememberedImages && !map.has(key) && oldest !== undefined) map.delete(oldest)
    map.set(key, value)
  }

  const targetOf = (name: string): Effect.Effect<Descriptor | undefined, ContainerdFailure> =>
    call(Images.method.get, { name }).pipe(
      Effect.map(({ image }) => {
        const { digest, mediaType, size } = image?.target ?? {}
        return digest === undefined || mediaType === undefined
          ? undefined
          : { digest, mediaType, size: Number(size ?? 0n) }
      }),
      Effect.catchIf(hasCode(status.NOT_FOUND), () => Effect.undefined)
    )

  const setTarget = (name: string, { digest, mediaType, size }: Descriptor) => {
    const image = { name, target: { digest, mediaType, size: BigInt(size) } }
    return call(Images.method.create, { image }).pipe(
      Effect.catchIf(hasCode(status.ALREADY_EXISTS), () =>
        call(Images.method.update, { image, updateMask: { paths: ["target"] } })
      ),
      Effect.asVoid
    )
  }

  /** As many at a time as may be, and none for longer than it may take. */
  const limited = <A, E>(host: string, work: Effect.Effect<A, E>): Effect.Effect<A, E | RegistryUnavailable> =>
    work.pipe(
      Effect.timeoutOrElse({
        duration: pullLimitMs,
        orElse: () =>
          Effect.fail(
            new RegistryUnavailable({ registry: host, detail: `an image is not there after ${pullLimitMs} ms` })
          )
      }),
      permits.withPermit
    )

  /** Makes everything of it be here, and then the name. */
  const completed = Effect.fnUntraced(function* (
    reference: ImageReference.ImageReference,
    name: string,
    target: Descriptor,
    isFetched: boolean
  ) {
    const lease = yield* leases.lease
    const image = yield* completing(reference, isFetched ? registry : undefined)(lease, target)
    if (isFetched) yield* setTarget(name, target)
    set(remembered, target.digest, image)
    return { ...image, name }
  }, Effect.scoped)

  const pull = (reference: ImageReference.ImageReference, name: string) => {
    const fetched = Effect.flatMap(registry.resolve(reference), (target) => completed(reference, name, target, true))
    return share(name, limited(reference.host, fetched))
  }

  /** As it is here: what is not unpacked is, and what is missing of it is fetched if anything may be. */
  const here = Effect.fnUntraced(function* (reference: ImageReference.ImageReference, name: string) {
    const likely = remembered.get(expected.get(name) ?? "")
    // A start waits for this: both are asked for at once.
    const [target, isLikelyThere] = yield* Effect.all(
      [targetOf(name), likely === undefined ? Effect.succeed(false) : isUnpacked(likely)],
      { concurrency: 2 }
    )
    if (target === undefined) return undefined
    set(expected, name, target.digest)
    const known = remembered.get(target.digest)
    const isThere = known !== undefined && (known === likely ? isLikelyThere : yield* isUnpacked(known))
    if (isThere) return { ...known, name }
    const work = completed(reference, name, target, pullPolicy !== "never")
    return yield* share(`${name} here`, limited(reference.host, work))
  })

  const find = Effect.fnUntraced(function* (reference: ImageReference.ImageReference, name: string) {
    if (pullPolicy !== "always") {
      const present = yield* here(reference, name)
      return present ?? (pullPolicy === "never" ? undefined : yield* pull(reference, name))
    }
    return yield* pull(reference, name).pipe(
      // A registry that is away for a while must not keep functions from starting that have started before.
      Effect.catch((failure) =>
        Effect.gen(function* () {
          const present = yield* here(reference, name).pipe(Effect.orElseSucceed(() => undefined))
          if (present === undefined) return yield* failure
          yield* Effect.logWarning(`Image ${name} could not be pulled, and is used as it is here: ${failure.message}`)
          return present
        })
      )
    )
  })

  const failureOf = (name: string, failure: ImagePull.PullFailure): RuntimeUnavailable | ArtifactNotFound =>
    failure._tag === "ImageNotFound"
      ? new ArtifactNotFound({ image: name, detail: failure.message })
      : new RuntimeUnavailable({
          detail: `image ${name}: ${failure.message}`,
          cause: failure,
          ...(isReachable() ? {} : { isAway: true })
        })

  /** The image, ready for containers to be made of it. As many as ask for it at the same time share what has to be done. */
  const get = Effect.fnUntraced(function* (text: string) {
    const parsed = ImageReference.parse(text)
    if (Result.isFailure(parsed)) {
      return yield* new ArtifactNotFound({ image: text, detail: parsed.failure.message })
    }
    const { digest, tag } = parsed.success
    const reference = tag === undefined && digest === undefined ? { ...parsed.success, tag: "latest" } : parsed.success
    const name = ImageReference.print(reference)
    const image = yield* Effect.mapError(find(reference, name), (failure) => failureOf(name, failure))
    if (image !== undefined) return image
    return yield* new ArtifactNotFound({ image: name, detail: "containerd has no such image, and none is fetched" })
  })

  return { get }
})
