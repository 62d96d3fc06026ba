/** Why an image that a template names is not in the registry of the stack, and what to do about it. */
import { Schema } from "effect"
import type { Failure } from "#domain/Failure"
import * as FunctionImage from "#domain/FunctionImage"
import type { ImagePushFailed } from "#services/ImageBuilder"

const Reason = Schema.Literals([
  "IMAGE_NAME_INVALID",
  "IMAGE_PULL_FAILED",
  "IMAGE_AUTH_FAILED",
  "IMAGE_PUSH_FAILED",
  "IMAGE_DIGEST_MISMATCH"
])

export class ImageUnavailable extends Schema.TaggedError<ImageUnavailable>()("ImageUnavailable", {
  /** As the template names it. */
  imageUri: Schema.String,
  reason: Reason,
  detail: Schema.String,
  /** What a reader can do; a whole clause. */
  advice: Schema.String
}) {
  override get message() {
    return `${this.imageUri} cannot be had (${this.reason}): ${this.detail}; ${this.advice}`
  }
}

type Cause =
  | Extract<
      Failure,
      {
        readonly _tag:
          | "InvalidParameter"
          | "ImageNotFound"
          | "RegistryUnauthorized"
          | "RegistryUnavailable"
          | "DigestMismatch"
      }
    >
  | ImagePushFailed

/** How one logs in at a registry, in the words of those who run it. */
const loginAt = (host: string): string => {
  const [, region] = /\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com/.exec(host) ?? []
  if (region !== undefined) {
    return `log in with: aws ecr get-login-password --region ${region} | docker login --username AWS --password-stdin ${host}`
  }
  // Anybody may read there, but not with a password that has expired.
  if (host === "public.ecr.aws") return "forget an expired login with: docker logout public.ecr.aws"
  return `log in with: docker login${host === "docker.io" ? "" : ` ${host}`}; a repository that is not there is refused, too`
}

const away = "is it reachable from here? HTTPS_PROXY names a way, ESB_INSECURE_REGISTRIES those in plain HTTP"

/** `registry` is that of the stack. */
export const explain = (imageUri: string, registry: string | undefined, failure: Cause): ImageUnavailable => {
  const own = registry === undefined ? undefined : FunctionImage.host(registry).split("/", 1)[0]
  const make = (reason: typeof Reason.Type, advice: string) =>
    new ImageUnavailable({ imageUri, reason, detail: failure.message, advice })
  switch (failure._tag) {
    case "InvalidParameter":
      return make("IMAGE_NAME_INVALID", "write ImageUri as host/repository:tag")
    case "ImagePushFailed":
      return make("IMAGE_PUSH_FAILED", "does the registry of the stack answer, and let the engine in?")
    case "DigestMismatch":
      return make("IMAGE_DIGEST_MISMATCH", "it was changed on its way, or while it was copied: try again")
    case "ImageNotFound":
      return failure.platform === undefined
        ? make("IMAGE_PULL_FAILED", "look for a slip in its name or tag, and whether it has been pushed")
        : make("IMAGE_PULL_FAILED", `build it for this machine: docker build --platform ${failure.platform}`)
    case "RegistryUnauthorized":
      return failure.registry === own
        ? make("IMAGE_PUSH_FAILED", "CONTAINER_REGISTRY_USER and CONTAINER_REGISTRY_PASSWORD name who may push there")
        : make("IMAGE_AUTH_FAILED", loginAt(failure.registry))
    case "RegistryUnavailable":
      return failure.registry === own
        ? make("IMAGE_PUSH_FAILED", "it is the registry of the stack: does the stack run?")
        : make("IMAGE_PULL_FAILED", away)
  }
}
