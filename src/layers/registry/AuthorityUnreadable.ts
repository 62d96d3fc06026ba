import { Schema } from "effect"

/** The file that should hold the authorities of private registries cannot be read. */
export class AuthorityUnreadable extends Schema.TaggedError<AuthorityUnreadable>()("AuthorityUnreadable", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `The authorities of registries cannot be read from ${this.path}: ${this.detail}`
  }
}
