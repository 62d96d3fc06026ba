import { Effect, Schema } from "effect"

/** Why the code at hand cannot be built, in a sentence that a reader can act on. Which function it is, the caller knows. */
export class Unbuildable extends Schema.TaggedError<Unbuildable>()("Unbuildable", {
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** File work as an effect: what Node says about the path is the detail. */
export const attempt = <A>(work: () => Promise<A>): Effect.Effect<A, Unbuildable> =>
  Effect.tryPromise({
    try: work,
    catch: (cause) => new Unbuildable({ detail: cause instanceof Error ? cause.message : String(cause) })
  })
