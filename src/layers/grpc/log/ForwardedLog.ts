/**
 * The log of an Agent that keeps none itself: the lines of each owner's workers wait, in memory, until their Gateway has read
 * them by the data door. A line that is nobody's is the Agent's own, which its standard error has got already.
 */
import { Context, Effect, Layer } from "effect"
import { randomUUID } from "node:crypto"
import { StorageUnavailable } from "#domain/Failure"
import type { OwnerId } from "#domain/Worker"
import { LogSink } from "#services/LogSink"
import { LogRing, type RingLimits } from "./LogRing.ts"

export class ForwardedLog extends Context.Service<
  ForwardedLog,
  {
    /** Names this run of the Agent: positions of another mean nothing in it. */
    readonly run: string
    readonly of: (owner: OwnerId) => LogRing
  }
>()("esb/layers/grpc/log/ForwardedLog") {}

const defaultLimits: RingLimits = { lines: 20_000, characters: 16 * 1024 ** 2 }

/** Owners are few. Beyond this many the first of those nobody reads loses its lines. */
const mostOwners = 64

/** A query fails: who may see which line only a Gateway can tell, and it is the Gateway that keeps them. */
export const layer = (limits: Partial<RingLimits> = {}): Layer.Layer<ForwardedLog | LogSink> =>
  Layer.effectContext(
    Effect.sync(() => {
      const rings = new Map<OwnerId, LogRing>()
      let droppedBefore = 0

      const forget = (): void => {
        const unread = [...rings].find(([, ring]) => !ring.isFollowed)
        if (unread === undefined) return
        droppedBefore += unread[1].dropped
        rings.delete(unread[0])
      }
      const of = (owner: OwnerId): LogRing => {
        const found = rings.get(owner)
        if (found !== undefined) return found
        if (rings.size >= mostOwners) forget()
        const made = new LogRing({ ...defaultLimits, ...limits })
        rings.set(owner, made)
        return made
      }

      const sink = LogSink.of({
        write: (record, owner) => {
          if (owner !== undefined) of(owner).write(record)
        },
        query: () => Effect.fail(new StorageUnavailable({ detail: "an Agent keeps no log; ask its Gateway" })),
        dropped: () => [...rings.values()].reduce((sum, ring) => sum + ring.dropped, droppedBefore)
      })
      return Context.make(ForwardedLog, { run: randomUUID(), of }).pipe(Context.add(LogSink, sink))
    })
  )
