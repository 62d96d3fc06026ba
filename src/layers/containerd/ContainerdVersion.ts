/** Which containerd it is. */
import { Effect } from "effect"
import { RuntimeUnavailable } from "#domain/Failure"
import { ContainerdApi } from "./ContainerdApi.ts"
import { Version } from "./generated/containerd/version_pb.ts"

/** `1.6.20`; fails when nobody answers. */
export const get: Effect.Effect<string, RuntimeUnavailable, ContainerdApi> = Effect.flatMap(ContainerdApi, ({ call }) =>
  call(Version.method.version, {}).pipe(
    Effect.map(({ version }) => version),
    Effect.mapError((cause) => new RuntimeUnavailable({ detail: cause.message, cause, isAway: true }))
  )
)
