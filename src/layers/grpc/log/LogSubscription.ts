/**
 * Brings the log of this Gateway's workers home: reads it from each Agent, over and over, and writes it into the Gateway's own
 * log. Where an Agent's data door is its workers tell; before the first of them there is nothing to read.
 */
import { Effect, Layer, Random } from "effect"
import { Certificates } from "#services/Certificates"
import { LogSink } from "#services/LogSink"
import { defaultLimits as doorLimits, originOf } from "../door/AgentDoor.ts"
import type { AgentLink } from "../client/AgentLink.ts"
import { Agents } from "../client/Agents.ts"
import * as DoorConnector from "../door/DoorConnector.ts"
import { LogJournal } from "./LogJournal.ts"
import * as LogReading from "./LogReading.ts"

export interface SubscriptionLimits extends LogReading.ReadingLimits {
  /** How often it is looked whether an Agent's door is known by now. */
  readonly lookEveryMs: number
  /** A log that has broken off is read on after this long, and after twice as long each further time … */
  readonly firstBackoffMs: number
  /** … but never after longer than this. */
  readonly longestBackoffMs: number
}

/** Readings in a row that brought nothing: fewer come with every restart of an Agent. */
const failuresUntilTold = 4

const defaultLimits: SubscriptionLimits = {
  ...LogReading.defaultLimits,
  lookEveryMs: 200,
  firstBackoffMs: 100,
  longestBackoffMs: 2_000
}

export const layerWith = (
  given: Partial<SubscriptionLimits>
): Layer.Layer<never, never, Agents | Certificates | LogSink> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { all, held, owner } = yield* Agents
      const certificates = yield* Certificates
      const sink = yield* LogSink
      const limits = { ...defaultLimits, ...given }
      const connect = DoorConnector.make(certificates.current, doorLimits.connectLimitMs, doorLimits.keepAliveMs)

      const follow = Effect.fnUntraced(function* (agent: AgentLink) {
        const journal = new LogJournal(agent.address, sink)
        let failures = 0
        while (true) {
          const address = held.doorOf(agent)
          if (address === undefined) {
            yield* Effect.sleep(limits.lookEveryMs)
            continue
          }
          const before = journal.bookmark
          const origin = originOf(certificates.current(), address)
          const broken = yield* Effect.flip(LogReading.read(origin, connect, owner, journal, limits))
          failures = journal.bookmark === before ? failures + 1 : 0
          const told = `The log of the Agent ${agent.address} broke off: ${broken.detail}`
          yield* failures === failuresUntilTold
            ? Effect.logWarning(`${told}; until it can be read, what workers write there is missing here`)
            : Effect.logDebug(told)
          const longest = Math.min(limits.longestBackoffMs, limits.firstBackoffMs * 2 ** failures)
          yield* Effect.sleep(yield* Random.nextBetween(longest / 2, longest))
        }
      })

      yield* Effect.forEach(all, (agent) => Effect.forkScoped(follow(agent)), { discard: true })
    })
  )

export const layer = layerWith({})
