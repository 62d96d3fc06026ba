/** What lies there under the name of an image is none. */
import { Schema } from "effect"

export class ImageUnusable extends Schema.TaggedError<ImageUnusable>()("ImageUnusable", {
  /** As `host/repository:tag@digest`. */
  reference: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Image ${this.reference} cannot be used: ${this.detail}`
  }
}
