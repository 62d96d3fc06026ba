/** What goes wrong between us and a store of tables or of buckets. */
import { Schema } from "effect"

const Cause = Schema.Defect()

/** The store cannot be reached, is still starting, or has too much to do: the same request may go well later. */
export class StoreUnavailable extends Schema.TaggedError<StoreUnavailable>()("StoreUnavailable", {
  endpoint: Schema.String,
  detail: Schema.String,
  cause: Schema.optionalKey(Cause)
}) {
  override get message() {
    return `${this.endpoint} does not answer: ${this.detail}`
  }
}

/** A store that has read the request, and says no. */
const No = {
  endpoint: Schema.String,
  /** What was asked for: `CreateTable orders`. */
  operation: Schema.String,
  /** The store's own name for it: `InvalidAccessKeyId`. */
  reason: Schema.String,
  detail: Schema.String,
  cause: Schema.optionalKey(Cause)
}

/** The store does not know this access key, its secret is another one, or it may not do this. */
export class StoreDenied extends Schema.TaggedError<StoreDenied>()("StoreDenied", No) {
  override get message() {
    return `${this.endpoint} denies ${this.operation} to this access key: ${this.reason}: ${this.detail}`
  }
}

/** The store has read the request and will not do it, however often it is asked. */
export class StoreRefused extends Schema.TaggedError<StoreRefused>()("StoreRefused", No) {
  override get message() {
    return `${this.endpoint} refuses ${this.operation}: ${this.reason}: ${this.detail}`
  }
}

/** Failures that every request to a store may have. */
export type StoreFailure = StoreUnavailable | StoreDenied | StoreRefused
