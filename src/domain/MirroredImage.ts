/** Images that templates name, and their copies in the registry of a stack. */
import { Result } from "effect"
import type { InvalidParameter } from "./Failure.ts"
import { host } from "./FunctionImage.ts"
import * as ImageReference from "./ImageReference.ts"

/** Which of them are copied: every one again, those that the registry lacks, or none. */
export const prewarms = ["all", "missing", "off"] as const
export type Prewarm = (typeof prewarms)[number]

/** What is to be done about one image. */
export type Plan =
  /** It is named as the template has it. */
  | { readonly _tag: "Keep" }
  /** It is in the registry of the stack already, and is only looked up there. */
  | { readonly _tag: "Pin"; readonly image: ImageReference.ImageReference }
  | {
      readonly _tag: "Copy"
      readonly from: ImageReference.ImageReference
      readonly to: ImageReference.ImageReference
      /** Its name has no registry: the engine of this machine is asked first, as `docker run` does. */
      readonly isEngineFirst: boolean
    }

/** A host as a part of a repository, which has no colons, brackets and capitals: `127.0.0.1-5000`. */
const asPart = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, "-")
    .replace(/^-|-$/g, "")

/** Where the copy of an image lies: `127.0.0.1:5010/public.ecr.aws/lambda/nodejs:24`. */
const copyOf = (
  registry: string,
  from: ImageReference.ImageReference
): Result.Result<ImageReference.ImageReference, InvalidParameter> => {
  // Of two names the digest decides, so that a tag beside it says nothing of the image.
  const tag = from.digest === undefined ? `:${ImageReference.target(from)}` : ""
  return ImageReference.parse(`${host(registry)}/${asPart(from.host)}/${from.repository}${tag}`)
}

/**
 * The tag under which a copy is found again. A copy is of one platform and has a digest of its own; this one is made of the
 * digest that the source goes by.
 */
export const markOf = (copy: ImageReference.ImageReference, sourceDigest: string): ImageReference.ImageReference => ({
  ...copy,
  tag: sourceDigest.replace(":", "-"),
  digest: undefined
})

/** The image, whatever becomes of its tag; without the tag, which engines do not take beside a digest. */
export const pinned = (image: ImageReference.ImageReference, digest: string): string =>
  ImageReference.print({ ...image, tag: undefined, digest })

export const plan = (
  imageUri: string,
  { prewarm, registry }: { readonly prewarm: Prewarm; readonly registry: string | undefined }
): Result.Result<Plan, InvalidParameter> => {
  if (registry === undefined || prewarm === "off") return Result.succeed({ _tag: "Keep" })
  return Result.flatMap(ImageReference.parse(imageUri), (from): Result.Result<Plan, InvalidParameter> => {
    const isThere = ImageReference.print(from).startsWith(`${host(registry)}/`)
    if (isThere) return Result.succeed({ _tag: "Pin", image: from })
    const isEngineFirst = !ImageReference.namesRegistry(imageUri)
    return Result.map(copyOf(registry, from), (to) => ({ _tag: "Copy", from, to, isEngineFirst }))
  })
}
