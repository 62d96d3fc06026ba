/** Who may use an object store besides its root. */
import { Context, type Effect, type Redacted, Schema } from "effect"
import type { StoreFailure } from "#domain/StoreFailure"

/** The store has no way to do this that we know. */
export class KeysNotOffered extends Schema.TaggedError<KeysNotOffered>()("KeysNotOffered", {
  endpoint: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.endpoint} does not take keys as RustFS does: ${this.detail}`
  }
}

export interface StoreKey {
  readonly accessKeyId: string
  readonly secret: Redacted.Redacted
}

export class StoreKeys extends Context.Service<
  StoreKeys,
  {
    /** Reads and writes in every bucket with this secret when this returns, whether it was known before or not. */
    readonly admit: (key: StoreKey) => Effect.Effect<void, KeysNotOffered | StoreFailure>
  }
>()("esb/services/StoreKeys") {}
