/** The connections of a Gateway to one Agent's data door, and what is open on them. */
import { Clock, Effect } from "effect"
import { type buildConnector, Client, Pool } from "undici"
import type { Worker } from "#domain/Worker"
import type { CertificateBundle } from "#services/Certificates"
import * as DoorExchange from "./DoorExchange.ts"
import { pulsePath } from "./DoorRequest.ts"
import { schemeOf } from "../peer/PeerCredentials.ts"

export interface DoorLimits {
  /** From the first packet of a connection to the end of its handshake, and from there to the Agent's first word on it. */
  readonly connectLimitMs: number
  /** A connection on which nothing comes is tried after this long: a machine that is gone is noticed in the seconds after it. */
  readonly keepAliveMs: number
  /** Connections to one door: so many calls of its workers can be in flight. */
  readonly connections: number
  /** An idle connection is closed after this long. */
  readonly idleLimitMs: number
  /** An answer that does not begin, or does not go on, for this long is given up: longer than any function may run. */
  readonly answerLimitMs: number
  /** Bytes of an answer: more than the largest payload takes within a failure, as JSON. */
  readonly answerBytes: number
  /** Bytes of the headers of an answer, and of its trailers: more than the error of a stream takes, as base64. */
  readonly headersBytes: number
  /** While something is open for longer than this, the Agent is asked for a sign of life, again and again … */
  readonly pulseEveryMs: number
  /** … and when none comes within this, the Agent is not there any more, whatever its connections look like. */
  readonly silenceLimitMs: number
}

export const defaultLimits: DoorLimits = {
  connectLimitMs: 2_000,
  keepAliveMs: 10_000,
  connections: 1_024,
  idleLimitMs: 60_000,
  answerLimitMs: 960_000,
  answerBytes: 32 * 1024 ** 2,
  headersBytes: 2 * 1024 ** 2,
  pulseEveryMs: 5_000,
  silenceLimitMs: 10_000
}

export const originOf = (bundle: CertificateBundle | undefined, { host, port }: Worker["address"]): string =>
  `${schemeOf(bundle)}://${host.includes(":") ? `[${host}]` : host}:${port}`

/** Parts of a time in each of which this process must have been awake. */
const parts = 10

/**
 * A time in which this process could hear. One that stood still, as with its machine, has not read what came meanwhile when
 * its timers run: that counts as one part only, however long it took.
 */
const awake = (durationMs: number): Effect.Effect<void> =>
  Effect.asVoid(Effect.repeat(Effect.sleep(durationMs / parts), { times: parts - 1 }))

interface Open {
  readonly sinceMs: number
  readonly end: (failure: DoorExchange.Broken) => void
}

export class AgentDoor implements DoorExchange.Onlooker {
  readonly #origin: string
  readonly #limits: DoorLimits
  readonly #clock: Clock.Clock
  readonly #pool: Pool
  /** A connection of its own: that all others are in use is no sign of death. */
  readonly #heart: Client
  readonly #open = new Set<Open>()

  constructor(origin: string, connect: buildConnector.connector, limits: DoorLimits, clock: Clock.Clock) {
    this.#origin = origin
    this.#limits = limits
    this.#clock = clock
    const options = {
      connect,
      allowH2: false,
      pipelining: 1,
      keepAliveTimeout: limits.idleLimitMs,
      keepAliveMaxTimeout: limits.idleLimitMs,
      headersTimeout: limits.answerLimitMs,
      bodyTimeout: limits.answerLimitMs,
      maxHeaderSize: limits.headersBytes,
      maxResponseSize: limits.answerBytes
    }
    this.#pool = new Pool(origin, { ...options, connections: limits.connections })
    this.#heart = new Client(origin, options)
  }

  readonly ask: DoorExchange.Ask = (request, stream) => DoorExchange.make(this.#pool, request, this, stream)

  opened(end: (failure: DoorExchange.Broken) => void): () => void {
    const open = { sinceMs: this.#clock.currentTimeMillisUnsafe(), end }
    this.#open.add(open)
    return () => void this.#open.delete(open)
  }

  /** Ends what is open when the Agent gives no sign of life. Runs until it is interrupted. */
  get watch(): Effect.Effect<never> {
    return Effect.forever(Effect.delay(this.#feelPulse, this.#limits.pulseEveryMs))
  }

  /**
   * Only silence counts. An Agent that refuses a connection, or breaks one, may be about to stop, and let calls end: that it is
   * dead would show on their own connections.
   */
  readonly #feelPulse = Effect.suspend(() => {
    const before = this.#clock.currentTimeMillisUnsafe() - this.#limits.pulseEveryMs
    const waiting = [...this.#open].filter(({ sinceMs }) => sinceMs <= before)
    if (waiting.length === 0) return Effect.void
    const pulse = { method: "GET", path: pulsePath, headers: {} } as const
    const { silenceLimitMs } = this.#limits
    const silence = new DoorExchange.NotSent({ detail: `nothing within ${silenceLimitMs} ms`, timedOut: true })
    return DoorExchange.make(this.#heart, pulse, { opened: () => () => undefined }).pipe(
      Effect.raceFirst(Effect.andThen(awake(silenceLimitMs), Effect.fail(silence))),
      Effect.catch((failure) =>
        Effect.sync(() => {
          if (failure._tag === "NotSent" && failure.timedOut) this.#giveUp(waiting, failure.detail)
        })
      )
    )
  })

  #giveUp(waiting: ReadonlyArray<Open>, why: string): void {
    const failure = new DoorExchange.Broken({ detail: `no sign of life from the Agent at ${this.#origin}: ${why}` })
    for (const { end } of waiting) end(failure)
  }

  /** Takes nothing more, and closes when the last of what is open has ended. */
  readonly retire: Effect.Effect<void> = Effect.promise(() => Promise.all([this.#pool.close(), this.#heart.close()]))

  readonly destroy: Effect.Effect<void> = Effect.promise(() =>
    Promise.all([this.#pool.destroy(), this.#heart.destroy()])
  )
}
