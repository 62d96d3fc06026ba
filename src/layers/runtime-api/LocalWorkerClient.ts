/** Reaches workers whose doors are in this process: no wire between the pool and the worker's own connection. */
import { Effect, Layer } from "effect"
import { RuntimeApi } from "#services/RuntimeApi"
import { WorkerClient } from "#services/WorkerClient"

export const layer: Layer.Layer<WorkerClient, never, RuntimeApi> = Layer.effect(
  WorkerClient,
  Effect.map(RuntimeApi, (api) => ({
    ready: (worker) => api.ready(worker.id),
    send: (worker, invocation, stream) => api.invoke(worker.id, invocation, stream),
    isAlive: (worker) => {
      const phase = api.phase(worker.id)
      return phase !== undefined && phase !== "dirty"
    },
    thaws: () => false
  }))
)
