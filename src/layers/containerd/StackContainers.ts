/** All containers of a stack that containerd has, whoever started them. */
import { Effect } from "effect"
import { selectorLabels, type StackIdentity } from "#domain/StackIdentity"
import { ContainerdApi } from "./ContainerdApi.ts"
import { type Container, Containers } from "./generated/containerd/containers_pb.ts"
import * as LoneTasks from "./LoneTasks.ts"

/** Tasks that have lost theirs are given another one by this, which is among them. */
export const list = Effect.fnUntraced(function* (stack: StackIdentity) {
  const { call } = yield* ContainerdApi
  const conditions = Object.entries(selectorLabels(stack)).map(
    ([name, value]) => `labels.${JSON.stringify(name)}==${JSON.stringify(value)}`
  )
  const { containers } = yield* call(Containers.method.list, { filters: [conditions.join(",")] })
  const restored = yield* LoneTasks.restore(stack, containers).pipe(
    // One that cannot be looked after must not keep all others from being so; the next collection asks again.
    Effect.catch(({ message }) =>
      Effect.as(Effect.logWarning(`Tasks that have lost their container are not looked for: ${message}`), [])
    )
  )
  return [...containers, ...restored] satisfies ReadonlyArray<Container>
})
