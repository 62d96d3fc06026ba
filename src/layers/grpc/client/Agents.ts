/** The Agents of a Gateway: one connection to each, and what they have told of its workers. */
import { Context, Effect, Layer, Stream } from "effect"
import type { RuntimeUnavailable } from "#domain/Failure"
import type { ContainerId, ContainerState, OwnerId } from "#domain/Worker"
import { Certificates } from "#services/Certificates"
import { defaultLimits } from "./AgentChannel.ts"
import { ofEngine } from "./AgentFailure.ts"
import * as AgentLink from "./AgentLink.ts"
import { AgentService } from "../generated/agent_pb.ts"
import { HeldWorkers } from "./HeldWorkers.ts"
import { channelCredentials } from "../peer/PeerCredentials.ts"
import * as WireWorker from "./WireWorker.ts"

/** The longest that each kind of call may take, in milliseconds; the Agent is told, and stops with the caller. */
export interface Deadlines {
  /** The image may have to be pulled first. */
  readonly ensure: number
  /** Extensions of the worker may take their time to say goodbye. */
  readonly destroy: number
  readonly pause: number
  readonly resume: number
  readonly list: number
  readonly metrics: number
  /** The function's own `Timeout` is the Agent's to keep. */
  readonly invoke: number
}

export interface Options {
  /** `host:port` of each Agent. */
  readonly addresses: ReadonlyArray<string>
  /** Whose workers they are. */
  readonly owner: OwnerId
  readonly deadlines?: Partial<Deadlines>
  readonly limits?: Partial<AgentLink.LinkLimits>
}

const defaultDeadlines: Deadlines = {
  ensure: 600_000,
  destroy: 30_000,
  pause: 5_000,
  resume: 5_000,
  list: 10_000,
  metrics: 10_000,
  // AWS's longest, and time to become ready before it.
  invoke: 900_000 + 15_000
}

const defaultLinkLimits: AgentLink.LinkLimits = { ...defaultLimits, firstBackoffMs: 100, longestBackoffMs: 2_000 }

export class Agents extends Context.Service<
  Agents,
  {
    readonly owner: OwnerId
    readonly all: ReadonlyArray<AgentLink.AgentLink>
    readonly deadlines: Deadlines
    readonly held: HeldWorkers
    /** The Agent that holds a worker: the only one there is, or the one that has shown it. `undefined`: none has yet. */
    readonly agentOf: (id: ContainerId) => AgentLink.AgentLink | undefined
    /**
     * In the order in which a start should try them: those that answer first, and among equals those with the fewest workers of
     * ours, counting the starts that are under way.
     */
    readonly choose: () => ReadonlyArray<AgentLink.AgentLink>
    /** Counts as a start that is under way on this Agent. */
    readonly starting: <A, E, R>(agent: AgentLink.AgentLink, start: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
    /** What this Agent has of an owner's. What it shows is remembered in {@link held}. */
    readonly list: (
      agent: AgentLink.AgentLink,
      owner: OwnerId,
      limitMs: number
    ) => Effect.Effect<ReadonlyArray<ContainerState>, RuntimeUnavailable>
  }
>()("esb/layers/grpc/client/Agents") {}

export const layer = (options: Options): Layer.Layer<Agents, never, Certificates> =>
  Layer.effect(
    Agents,
    Effect.gen(function* () {
      const certificates = yield* Certificates
      const limits = { ...defaultLinkLimits, ...options.limits }
      const all = yield* Effect.forEach([...new Set(options.addresses)], (address) =>
        AgentLink.make(address, () => channelCredentials(certificates.current()), limits)
      )
      const held = new HeldWorkers()
      const starts = new Map<AgentLink.AgentLink, number>()
      const count = (agent: AgentLink.AgentLink, change: number): void =>
        void starts.set(agent, (starts.get(agent) ?? 0) + change)

      const renewal = Stream.runForEach(certificates.changes, () =>
        Effect.sync(() => {
          for (const agent of all) agent.renew()
        })
      )
      yield* Effect.forkScoped(renewal, { startImmediately: true })

      const list = Effect.fnUntraced(function* (agent: AgentLink.AgentLink, owner: OwnerId, limitMs: number) {
        const askedAt = held.moment()
        const answer = yield* Effect.mapError(
          agent.call(AgentService.method.listContainers, { ownerId: owner }, limitMs),
          ofEngine
        )
        const states = yield* WireWorker.states(agent.address, answer.containers)
        held.listed(agent, owner, askedAt, states)
        return states
      })

      return {
        owner: options.owner,
        all,
        deadlines: { ...defaultDeadlines, ...options.deadlines },
        held,
        agentOf: (id) => (all.length === 1 ? all[0] : held.agentOf(id)),
        choose: () => {
          const loads = all.map((agent) => ({
            agent,
            load: held.countOf(agent) + (starts.get(agent) ?? 0),
            silent: agent.isReachable() ? 0 : 1
          }))
          return loads.toSorted((a, b) => a.silent - b.silent || a.load - b.load).map(({ agent }) => agent)
        },
        starting: (agent, start) =>
          Effect.acquireUseRelease(
            Effect.sync(() => count(agent, 1)),
            () => start,
            () => Effect.sync(() => count(agent, -1))
          ),
        list
      }
    })
  )
