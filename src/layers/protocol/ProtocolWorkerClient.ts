/** Hands each worker to the client that speaks its protocol. */
import { Context, Effect, Layer } from "effect"
import type { Protocol, Worker } from "#domain/Worker"
import { WorkerClient } from "#services/WorkerClient"

export interface Clients<E1, R1, E2, R2> {
  readonly "runtime-api": Layer.Layer<WorkerClient, E1, R1>
  readonly rie: Layer.Layer<WorkerClient, E2, R2>
}

const built = <E, R>(client: Layer.Layer<WorkerClient, E, R>) =>
  Effect.map(Layer.build(client), (services) => Context.get(services, WorkerClient))

export const layer = <E1, R1, E2, R2>(clients: Clients<E1, R1, E2, R2>): Layer.Layer<WorkerClient, E1 | E2, R1 | R2> =>
  Layer.effect(
    WorkerClient,
    Effect.gen(function* () {
      const speaking: Readonly<Record<Protocol, WorkerClient["Service"]>> = {
        "runtime-api": yield* built(clients["runtime-api"]),
        rie: yield* built(clients.rie)
      }
      const of = ({ protocol }: Worker) => speaking[protocol]
      return {
        ready: (worker) => of(worker).ready(worker),
        send: (worker, invocation, stream) => of(worker).send(worker, invocation, stream),
        isAlive: (worker) => of(worker).isAlive(worker),
        thaws: (worker) => of(worker).thaws(worker)
      }
    })
  )
