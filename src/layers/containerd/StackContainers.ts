/** All containers of a stack that containerd has, whoever started them. */
import { Effect } from "effect"
import { selectorLabels, type StackIdentity } from "#domain/StackIdentity"
import { ContainerdApi } from "./ContainerdApi.ts"
import type { ContainerdFailure } from "./ContainerdFailure.ts"
import { type Container, Containers } from "./generated/containerd/containers_pb.ts"

export const list = (
  stack: StackIdentity
): Effect.Effect<ReadonlyArray<Container>, ContainerdFailure, ContainerdApi> => {
  const conditions = Object.entries(selectorLabels(stack)).map(
    ([name, value]) => `labels.${JSON.stringify(name)}==${JSON.stringify(value)}`
  )
  return Effect.flatMap(ContainerdApi, ({ call }) =>
    Effect.map(call(Containers.method.list, { filters: [conditions.join(",")] }), ({ containers }) => containers)
  )
}
