/** The queue of accepted events as a SQLite file, `queue.db`. It survives the loss of power: every commit is flushed. */
import { join } from "node:path"
import { Effect, Layer } from "effect"
import type { AsyncEvent } from "#domain/AsyncEvent"
import { QueueFull } from "#domain/Failure"
import { crashedReason, defaultLimits, EventQueue, type EventQueueLimits, maxCrashes } from "#services/EventQueue"
import type { Verdict } from "./Protocol.ts"
import { Sqlite } from "./Sqlite.ts"

export interface Options {
  /** Exists already. */
  readonly stateDirectory: string
  readonly limits?: Partial<EventQueueLimits>
  /** The file does not grow beyond this; then `StorageUnavailable`. Unlimited when absent. */
  readonly maxFileBytes?: number
}

const refusedBy = (verdict: Verdict) =>
  verdict === undefined ? Effect.void : Effect.fail(new QueueFull({ limit: verdict }))

/**
 * A full disk, an I/O error or a damaged file is `StorageUnavailable`, and nothing was accepted. A file that is damaged,
 * not ours, or of a newer version fails the layer and is left as it is.
 */
export const layer = ({ stateDirectory, limits, maxFileBytes }: Options) =>
  Layer.effect(
    EventQueue,
    Effect.gen(function* () {
      const sqlite = yield* Sqlite

      /** The claimed events that are not settled; what else is `running` after the thread was replaced is nobody's. */
      const held = new Set<string>()
      let isRecovered = false
      yield* sqlite.open("openEvents", () => ({
        path: join(stateDirectory, "queue.db"),
        limits: { ...defaultLimits, ...limits },
        maxFileBytes,
        held: isRecovered ? [...held] : undefined,
        maxCrashes,
        crashedReason
      }))

      const enqueue = (event: AsyncEvent) =>
        Effect.suspend(() => {
          const payload = new Uint8Array(event.payload)
          return Effect.flatMap(sqlite.call("enqueue", { ...event, payload }, { payload }), refusedBy)
        })

      return EventQueue.of({
        enqueue,
        claim: (functionName, limit, nowUnixMs) =>
          Effect.map(
            sqlite.call(
              "claim",
              { functionName, limit, nowUnixMs },
              {
                // When this fails, the events stay `running` until the next start recovers them.
                unwanted: (events) =>
                  sqlite.send({ operation: "release", ask: events.map(({ id }) => id), answered: () => {} })
              }
            ),
            (events) => {
              for (const { id } of events) held.add(id)
              return events
            }
          ),
        settle: (id, settlement) => {
          const letGo = () => void held.delete(id)
          return Effect.map(sqlite.call("settle", { id, settlement }, { unwanted: letGo }), letGo)
        },
        recover: Effect.map(sqlite.call("recover", undefined), (running) => {
          isRecovered = true
          held.clear()
          return running
        }),
        due: sqlite.call("due", undefined),
        list: (limit) => sqlite.call("list", { limit }),
        retry: (id, nowUnixMs) =>
          Effect.flatMap(sqlite.call("retry", { id, nowUnixMs }), ({ found, verdict }) =>
            Effect.as(refusedBy(verdict), found)
          ),
        drop: (id) => sqlite.call("drop", { id })
      })
    })
  )
