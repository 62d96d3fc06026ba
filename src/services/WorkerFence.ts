/** The packet filter around the workers of a stack, on the machine that has their network. */
import { Context, type Effect, Schema } from "effect"
import type { StackIdentity } from "#domain/StackIdentity"
import type { WorkerFence as Fence } from "#domain/WorkerFence"

/** The machine's packet filter cannot be told, or refuses. What it was before is left as it was. */
export class FenceUnavailable extends Schema.TaggedError<FenceUnavailable>()("FenceUnavailable", {
  detail: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message() {
    return `the fence around the workers: ${this.detail}`
  }
}

export class WorkerFence extends Context.Service<
  WorkerFence,
  {
    /** Takes the place of the fence that the stack had, in one step; nothing that is not the fence's is touched. */
    readonly raise: (fence: Fence) => Effect.Effect<void, FenceUnavailable>
    /** Nothing of it is left; none that was there is none. */
    readonly lower: (stack: StackIdentity) => Effect.Effect<void, FenceUnavailable>
  }
>()("esb/services/WorkerFence") {}
