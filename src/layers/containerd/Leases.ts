/**
 * What a lease holds is not collected. Each ends with a scope; the one of an Agent that was killed expires, and all that only it
 * held goes with the next collection.
 */
import { DateTime, Effect, type Scope } from "effect"
import { randomUUID } from "node:crypto"
import { ContainerdApi } from "./ContainerdApi.ts"
import type { ContainerdFailure } from "./ContainerdFailure.ts"
import { Leases } from "./generated/containerd/leases_pb.ts"

/** The rule of containerd's garbage collector, and a moment in RFC 3339. */
const expiry = "containerd.io/gc.expire"

/** `content`, or `snapshots/` and a snapshotter. */
export type ResourceType = "content" | `snapshots/${string}`

export const make = Effect.fnUntraced(function* (lifetimeMs: number) {
  const { call } = yield* ContainerdApi

  const release = (id: string): Effect.Effect<void> =>
    call(Leases.method.delete, { id }).pipe(
      // It expires.
      Effect.ignore({ log: "Debug" })
    )

  const create = Effect.gen(function* () {
    const id = `pull-${randomUUID()}`
    const until = DateTime.add(yield* DateTime.now, { milliseconds: lifetimeMs })
    yield* call(Leases.method.create, { id, labels: { [expiry]: DateTime.formatIso(until) } }).pipe(
      // It may be there although nobody has heard so.
      Effect.tapError(({ kind }) => (kind === "lost" ? release(id) : Effect.void))
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
