import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { WorkerUnreachable } from "#domain/Failure"
import type { Protocol } from "#domain/Worker"
import * as ProtocolWorkerClient from "#layers/protocol/ProtocolWorkerClient"
import { WorkerClient } from "#services/WorkerClient"
import { call, workerAt } from "./RieWorkerClientContract.ts"

/** A client that reaches nobody and says whom it was asked for. */
const refusing = (name: Protocol): Layer.Layer<WorkerClient> =>
  Layer.sync(WorkerClient, () => {
    const refuse = Effect.fail(new WorkerUnreachable({ containerId: "none", detail: name }))
    return {
      ready: () => refuse,
      send: () => refuse,
      isAlive: () => name === "rie",
      thaws: () => name === "runtime-api"
    }
  })

const both = ProtocolWorkerClient.layer({ "runtime-api": refusing("runtime-api"), rie: refusing("rie") })

describe("ProtocolWorkerClient", () => {
  for (const protocol of ["runtime-api", "rie"] as const) {
    it.effect(`hands a worker that speaks ${protocol} to the client that does`, () =>
      Effect.gen(function* () {
        const client = yield* WorkerClient
        const worker = { ...workerAt({ host: "127.0.0.1", port: 1 }), protocol }
        const isReady = yield* Effect.flip(client.ready(worker))
        const isSent = yield* Effect.flip(client.send(worker, call({})))
        assert.deepInclude(isReady, { _tag: "WorkerUnreachable", detail: protocol })
        assert.deepInclude(isSent, { _tag: "WorkerUnreachable", detail: protocol })
        assert.strictEqual(client.isAlive(worker), protocol === "rie")
        assert.strictEqual(client.thaws(worker), protocol === "runtime-api")
      }).pipe(Effect.provide(both))
    )
  }
})
