/** Which Agent holds which worker, and whether the worker is of use: what answers have shown so far. */
import type { ContainerId, ContainerState, OwnerId, Worker } from "#domain/Worker"
import type { AgentLink } from "./AgentLink.ts"

/** Workers that are gone are remembered, because a pool may still ask for them. Beyond so many the first are forgotten. */
const mostGone = 10_000

interface Held {
  readonly agent: AgentLink
  readonly owner: OwnerId
  /** When it was first heard of. */
  readonly since: Moment
  /** Once it is not, it never is again. */
  useful: boolean
}

/** A point in the order of what happened here. */
export type Moment = number

export class HeldWorkers {
  readonly #held = new Map<ContainerId, Held>()
  readonly #gone = new Map<ContainerId, Moment>()
  readonly #doors = new Map<AgentLink, Worker["address"]>()
  #now: Moment = 0

  /** To be taken before a list is asked for: the list knows nothing of what happens after. */
  moment(): Moment {
    this.#now += 1
    return this.#now
  }

  started(id: ContainerId, owner: OwnerId, agent: AgentLink): void {
    this.#gone.delete(id)
    this.#held.set(id, { agent, owner, since: this.moment(), useful: true })
  }

  /** No further call may meet it, though it may still be there. */
  spoilt(id: ContainerId): void {
    const held = this.#held.get(id)
    if (held === undefined) this.ended(id)
    else held.useful = false
  }

  ended(id: ContainerId): void {
    this.#held.delete(id)
    this.#gone.set(id, this.moment())
    const [first] = this.#gone.keys()
    if (this.#gone.size > mostGone && first !== undefined) this.#gone.delete(first)
  }

  /** The Agent's list of this owner's workers, asked for at `askedAt`. */
  listed(agent: AgentLink, owner: OwnerId, askedAt: Moment, states: ReadonlyArray<ContainerState>): void {
    const shown = new Set(states.map(({ id }) => id))
    for (const [id, held] of this.#held) {
      if (held.agent === agent && held.owner === owner && held.since < askedAt && !shown.has(id)) this.ended(id)
    }
    for (const state of states) {
      const { id, phase, status } = state
      this.reachedAt(agent, state)
      if ((this.#gone.get(id) ?? 0) > askedAt) continue
      if (!this.#held.has(id)) this.started(id, owner, agent)
      if (status === "STOPPED" || phase === "dirty") this.spoilt(id)
    }
  }

  /** Where calls of this worker are sent. One with an emulator in it names itself, any other its Agent's data door. */
  reachedAt(agent: AgentLink, { address, protocol }: Pick<Worker, "address" | "protocol">): void {
    if (protocol === "runtime-api" && address.port > 0) this.#doors.set(agent, address)
  }

  /** The data door that an Agent's workers have named last, those that have ended since included. */
  doorOf(agent: AgentLink): Worker["address"] | undefined {
    return this.#doors.get(agent)
  }

  agentOf(id: ContainerId): AgentLink | undefined {
    return this.#held.get(id)?.agent
  }

  /** `true` as well of a worker nobody has spoken of. */
  mayBeUseful(id: ContainerId): boolean {
    return this.#held.get(id)?.useful ?? !this.#gone.has(id)
  }

  countOf(agent: AgentLink): number {
    return [...this.#held.values()].filter((held) => held.agent === agent).length
  }
}
