/** Images made from directories of this host, by a container engine, and handed to a registry. */
import { Context, type Effect, Schema } from "effect"

/** No image was made; the detail names the step, and ends with its last lines where it said any. */
export class ImageBuildFailed extends Schema.TaggedError<ImageBuildFailed>()("ImageBuildFailed", {
  reference: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.reference} was not built: ${this.detail}`
  }
}

/** The registry does not have the image, or not all of it. */
export class ImagePushFailed extends Schema.TaggedError<ImagePushFailed>()("ImagePushFailed", {
  reference: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.reference} was not pushed: ${this.detail}`
  }
}

/** The engine that builds images does not answer. */
export class ImageEngineUnreachable extends Schema.TaggedError<ImageEngineUnreachable>()("ImageEngineUnreachable", {
  engine: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `No Docker Engine answers at ${this.engine}: ${this.detail}`
  }
}

/** Told what goes on, a line at a time. */
export type Progress = (line: string) => void

export interface ImageRequest {
  /** The name that the image gets: `127.0.0.1:5010/esb-hello:latest`. */
  readonly reference: string
  /** The image that `dockerfile` begins with; it is pulled when the engine lacks it. */
  readonly base: string
  /** What a reader can do when it cannot be pulled. */
  readonly baseAdvice: string
  readonly dockerfile: string
  /** Directories of this host, by the names under which `dockerfile` copies them. */
  readonly context: Readonly<Record<string, string>>
  /** Two contexts with one digest have the same content. */
  readonly contextDigest: string
  readonly labels: Readonly<Record<string, string>>
  /** The label that gets the fingerprint of all of this; an image that has it already is not built again. */
  readonly fingerprintLabel: string
  /** Builds in any case, and every step anew. */
  readonly isFresh: boolean
  readonly progress: Progress
}

/** An image that somebody's own Dockerfile makes of a directory. */
export interface DirectoryRequest {
  readonly reference: string
  /** All that the Dockerfile may copy, but for what a `.dockerignore` in it names. */
  readonly directory: string
  /** Below the directory: `Dockerfile`. */
  readonly dockerfile: string
  /** The stage that is wanted; without one, the last. */
  readonly target: string | undefined
  readonly arguments: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  /** Builds every step anew; else the engine takes those that have not changed from the last time. */
  readonly isFresh: boolean
  readonly progress: Progress
}

export interface BuiltImage {
  readonly outcome: "built" | "unchanged"
  /** `sha256:<64 hex>` */
  readonly imageId: string
}

export class ImageBuilder extends Context.Service<
  ImageBuilder,
  {
    /** The engine has the image under its name when this returns. Interrupting ends the build in the engine, too. */
    readonly build: (request: ImageRequest) => Effect.Effect<BuiltImage, ImageBuildFailed>
    /** The same by a Dockerfile that lies in the directory. */
    readonly buildDirectory: (request: DirectoryRequest) => Effect.Effect<BuiltImage, ImageBuildFailed>
    /** The id of the image that the engine has under this name, if it has one. */
    readonly find: (reference: string) => Effect.Effect<string | undefined, ImagePushFailed>
    /** Gives an image of the engine one more name. */
    readonly tag: (image: string, reference: string) => Effect.Effect<void, ImagePushFailed>
    /** Hands an image of the engine to the registry that its name begins with. What is there already is not sent again. */
    readonly push: (reference: string, progress: Progress) => Effect.Effect<void, ImagePushFailed>
  }
>()("esb/services/ImageBuilder") {}
