/**
 * Tasks that have lost their container. containerd does to its end what it was asked for, also where nobody waits for it any more:
 * a task may then come up whose container was removed meanwhile. It holds memory and processes, and containerd finds it under the
 * name of a container only.
 */
import { create } from "@bufbuild/protobuf"
import { AnySchema } from "@bufbuild/protobuf/wkt"
import { status } from "@grpc/grpc-js"
import { Effect } from "effect"
import { selectorLabels, type StackIdentity } from "#domain/StackIdentity"
import * as WorkerName from "#domain/WorkerName"
import { ContainerdApi } from "./ContainerdApi.ts"
import { hasCode } from "./ContainerdFailure.ts"
import { type Container, Containers } from "./generated/containerd/containers_pb.ts"
import { Tasks } from "./generated/containerd/tasks_pb.ts"

/** Of all tasks of the namespace: containerd asks each shim, and waits 2 seconds for one that hangs. */
const listLimitMs = 15_000

/** containerd wants to be told of one; the task has had its own since it was made. */
const anyRuntime = { name: "io.containerd.runc.v2" }
const anySpec = create(AnySchema, {
  typeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Spec",
  value: Buffer.from("{}")
})

/**
 * Gives each of this stack's one of its name again, which tells no more than that it is the stack's: enough to be removed, and too
 * little to be taken over. `known` are containers that there are, of which nobody has to be asked.
 */
export const restore = Effect.fnUntraced(function* (stack: StackIdentity, known: ReadonlyArray<Container>) {
  const { call } = yield* ContainerdApi
  const { tasks } = yield* call(Tasks.method.list, {}, { limitMs: listLimitMs })
  const knownNames = new Set(known.map(({ id }) => id))
  const unknown = tasks.filter(({ id }) => WorkerName.isOf(stack, id) && !knownNames.has(id))
  if (unknown.length === 0) return []
  // One may have come up since the others were asked for, or belong to a stack whose name only begins as ours does.
  const { containers } = yield* call(Containers.method.list, {
    filters: unknown.map(({ id }) => `id==${JSON.stringify(id)}`)
  })
  const present = new Set(containers.map(({ id }) => id))
  const labels = { ...selectorLabels(stack) }
  const restored = yield* Effect.forEach(
    unknown.filter(({ id }) => !present.has(id)),
    ({ id }) =>
      call(Containers.method.create, { container: { id, labels, runtime: anyRuntime, spec: anySpec } }).pipe(
        Effect.map(({ container }) => container),
        Effect.catchIf(hasCode(status.ALREADY_EXISTS), () => Effect.undefined)
      )
  )
  return restored.filter((container) => container !== undefined)
})
