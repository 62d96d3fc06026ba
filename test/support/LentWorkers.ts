/** Workers that a test has from its engine for as long as its scope lasts. */
import { Effect } from "effect"
import { OwnerId, type WorkerSpec } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { WorkerClient } from "#services/WorkerClient"

/** Whose they are. */
export const mine = OwnerId.make("gateway-mine")

/** Nothing is said yet of whether it is ready. */
export const made = (spec: WorkerSpec) =>
  Effect.flatMap(ContainerRuntime, ({ destroy, ensure }) =>
    Effect.acquireRelease(ensure(spec, mine), ({ id }) => Effect.orDie(destroy(id, mine)))
  )

/** Ready. */
export const started = Effect.fnUntraced(function* (spec: WorkerSpec) {
  const client = yield* WorkerClient
  return yield* Effect.tap(made(spec), (worker) => client.ready(worker))
})
