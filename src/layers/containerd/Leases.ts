/**
 * What a lease holds is not collected. Each ends with a scope, or soon after where containerd does not hear of that; the one of an
 * Agent that ended meanwhile expires, and all that only it held goes with the next collection.
 */
import { status } from "@grpc/grpc-js"
import { DateTime, Effect, Schedule, type Scope } from "effect"
import { randomUUID } from "node:crypto"
import { ContainerdApi } from "./ContainerdApi.ts"
import { type ContainerdFailure, hasCode } from "./ContainerdFailure.ts"
import { Leases } from "./generated/containerd/leases_pb.ts"

/** The rule of containerd's garbage collector, and a moment in RFC 3339. */
const expiry = "containerd.io/gc.expire"

/** `content`, or `snapshots/` and a snapshotter. */
export type ResourceType = "content" | `snapshots/${string}`

/** How often containerd is asked again to let one go. */
const againEveryMs = 1_000
/** How long containerd may take to make one for which nobody waits any more. */
const lateLimitMs = 30_000

export const make = Effect.fnUntraced(function* (lifetimeMs: number) {
  const { call } = yield* ContainerdApi
  const scope = yield* Effect.scope

  const end = (id: string) => Effect.asVoid(call(Leases.method.delete, { id }))

  /** While nobody waits. Whatever comes of it, the lease expires. */
  const insist = (ending: Effect.Effect<void, ContainerdFailure>, limitMs: number): Effect.Effect<void> =>
    ending.pipe(
      Effect.retry(Schedule.spaced(againEveryMs)),
      Effect.timeoutOption(limitMs),
      Effect.ignore,
      Effect.forkIn(scope),
      Effect.asVoid
    )

  const release = (id: string): Effect.Effect<void> => {
    const ended = Effect.catchIf(end(id), hasCode(status.NOT_FOUND), () => Effect.void)
    return Effect.catch(ended, ({ message }) =>
      Effect.andThen(Effect.logDebug(`A lease is released later: ${message}`), insist(ended, lifetimeMs))
    )
  }

  const create = Effect.gen(function* () {
    const id = `pull-${randomUUID()}`
    const until = DateTime.add(yield* DateTime.now, { milliseconds: lifetimeMs })
    yield* call(Leases.method.create, { id, labels: { [expiry]: DateTime.formatIso(until) } }).pipe(
      // It may be there although nobody has heard so, or come to be.
      Effect.tapError(({ kind }) => (kind === "lost" ? insist(end(id), lateLimitMs) : Effect.void))
    )
    return id
  })

  /** Its id. */
  const lease: Effect.Effect<string, ContainerdFailure, Scope.Scope> = Effect.acquireRelease(create, release)

  /** Also of what is not there yet. */
  const hold = (id: string, type: ResourceType, resource: string) =>
    call(Leases.method.addResource, { id, resource: { id: resource, type } })

  return { lease, hold }
})
