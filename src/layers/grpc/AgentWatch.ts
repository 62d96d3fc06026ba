/** What Agents say of the workers of this owner, asked again and again: it is also the owner's sign of life. */
import { Context, type Effect } from "effect"
import type { ContainerId } from "#domain/Worker"

/** For the clients of this room that call workers. */
export class AgentWatch extends Context.Service<
  AgentWatch,
  {
    /**
     * Costs nothing. `false`: a list that was asked for after the worker's start does not show it, or shows it stopped or dirty;
     * or it is {@link lost}, or destroyed. `true` as well when nothing is known, or its Agent does not answer.
     */
    readonly isAlive: (id: ContainerId) => boolean
    /** A call has shown that no further one may meet this worker: from now on it is not alive. */
    readonly lost: (id: ContainerId) => void
    /**
     * Asks the worker's Agent now, so that {@link isAlive} knows what was true after this call. Never fails, and returns after
     * {@link refreshLimitMs} at the latest, with or without an answer. Callers at the same time share one request.
     */
    readonly refresh: (id: ContainerId) => Effect.Effect<void>
  }
>()("esb/layers/grpc/AgentWatch") {}

/** Who asks for a worker's state waits for it no longer than this. */
export const refreshLimitMs = 1_000
