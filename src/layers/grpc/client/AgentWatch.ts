/** What Agents say of the workers of this owner, asked again and again: it is also the owner's sign of life. */
import { Context, Effect, Layer, Semaphore } from "effect"
import type { RuntimeUnavailable } from "#domain/Failure"
import type { ContainerId } from "#domain/Worker"
import type { AgentLink } from "./AgentLink.ts"
import { Agents } from "./Agents.ts"

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
>()("esb/layers/grpc/client/AgentWatch") {}

/** Who asks for a worker's state waits for it no longer than this. */
export const refreshLimitMs = 1_000

/** A list that takes longer than this leaves everything as it was known before. */
const listLimitMs = 2_000

export interface WatchOptions {
  readonly pollEveryMs?: number
}

const defaultPollEveryMs = 1_000

/** Asks one Agent, one request at a time: who asks while one is under way shares the next with all others who do. */
const makeAsk = (
  { held, list, owner }: Agents["Service"],
  agent: AgentLink
): Effect.Effect<void, RuntimeUnavailable> => {
  const oneAtATime = Semaphore.makeUnsafe(1)
  let lastAskedAt = 0
  return Effect.suspend(() => {
    const wantedAt = held.moment()
    const ask = Effect.suspend(() => {
      if (lastAskedAt > wantedAt) return Effect.void
      const askedAt = held.moment()
      return Effect.map(list(agent, owner, listLimitMs), () => {
        lastAskedAt = askedAt
      })
    })
    return oneAtATime.withPermit(ask)
  })
}

/** Says once that an Agent has fallen silent, and once that it is back. */
const tell = (agent: AgentLink, before: RuntimeUnavailable | undefined, now: RuntimeUnavailable | undefined) => {
  if (before === undefined && now !== undefined) return Effect.logWarning(now.message)
  return before !== undefined && now === undefined
    ? Effect.logInfo(`Agent ${agent.address} answers again`)
    : Effect.void
}

const poll = Effect.fnUntraced(function* (
  agent: AgentLink,
  ask: Effect.Effect<void, RuntimeUnavailable>,
  pollEveryMs: number
) {
  let before: RuntimeUnavailable | undefined
  while (true) {
    const now = yield* Effect.match(ask, { onSuccess: () => undefined, onFailure: (failure) => failure })
    yield* tell(agent, before, now)
    before = now
    yield* Effect.sleep(pollEveryMs)
  }
})

export const layer = ({ pollEveryMs = defaultPollEveryMs }: WatchOptions = {}): Layer.Layer<
  AgentWatch,
  never,
  Agents
> =>
  Layer.effect(
    AgentWatch,
    Effect.gen(function* () {
      const agents = yield* Agents
      const { agentOf, all, held } = agents
      const asks = new Map<AgentLink, Effect.Effect<void, RuntimeUnavailable>>()
      for (const agent of all) {
        const ask = makeAsk(agents, agent)
        asks.set(agent, ask)
        yield* Effect.forkScoped(poll(agent, ask, pollEveryMs))
      }
      return {
        isAlive: (id) => held.mayBeUseful(id),
        lost: (id) => held.spoilt(id),
        refresh: (id) =>
          Effect.suspend(() => {
            const agent = agentOf(id)
            return (agent && asks.get(agent)) ?? Effect.void
          }).pipe(
            Effect.timeoutOption(refreshLimitMs),
            // Nothing new is known then, which is what the caller goes by.
            Effect.ignore
          )
      }
    })
  )
