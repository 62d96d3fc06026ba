/** Whether containerd has the snapshotter that it is to keep layers by. */
import { status } from "@grpc/grpc-js"
import { Effect } from "effect"
import { ContainerdApi } from "./ContainerdApi.ts"
import { type ContainerdFailure, hasCode } from "./ContainerdFailure.ts"
import { Introspection } from "./generated/containerd/introspection_pb.ts"
import { SnapshotterUnavailable } from "./SnapshotterUnavailable.ts"

const ofSnapshotters = ["type==io.containerd.snapshotter.v1"]

/** Succeeds where containerd has it. */
export const check = Effect.fnUntraced(function* (snapshotter: string) {
  const { call } = yield* ContainerdApi
  const { plugins } = yield* call(Introspection.method.plugins, { filters: ofSnapshotters })
  const found = plugins.find(({ id }) => id === snapshotter)
  if (found !== undefined && found.initErr === undefined) return
  const others = plugins.flatMap(({ id, initErr }) => (initErr === undefined ? [id] : []))
  return yield* new SnapshotterUnavailable({ snapshotter, reason: found?.initErr?.message, others })
})

/** What containerd answers of a snapshotter that it lacks; 2.x has none at all where one that was configured does not start. */
const refusals = [status.INVALID_ARGUMENT, status.UNIMPLEMENTED].map(hasCode)

/** Where it is refused because containerd lacks the snapshotter, it fails with that. */
export const explaining =
  (snapshotter: string) =>
  <A, R>(asked: Effect.Effect<A, ContainerdFailure, R>) =>
    Effect.catchIf(
      asked,
      (failure) => refusals.some((isIt) => isIt(failure)),
      (failure) =>
        check(snapshotter).pipe(
          // Who cannot tell why leaves it at what was said before.
          Effect.catchTag("ContainerdFailure", () => Effect.void),
          Effect.andThen(Effect.fail(failure))
        )
    )
