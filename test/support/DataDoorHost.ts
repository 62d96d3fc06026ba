/**
 * An Agent's data door as its own process, to be killed or frozen by a test: `node DataDoorHost.ts` starts two workers, prints
 * where they are as one line of JSON, and a line for every call of the one that never answers.
 */
import { Context, Duration, Effect, Layer, Logger } from "effect"
import { FunctionName } from "#domain/FunctionName"
import { OwnerId, type Worker } from "#domain/Worker"
import * as DataDoor from "#layers/grpc/door/DataDoor"
import * as ForwardedLog from "#layers/grpc/log/ForwardedLog"
import * as KnownWorkers from "#layers/grpc/KnownWorkers"
import * as OwnerLeases from "#layers/grpc/OwnerLeases"
import * as MemoryContainerRuntime from "#layers/memory/MemoryContainerRuntime"
import * as MemoryWorkerClient from "#layers/memory/MemoryWorkerClient"
import * as MemoryWorkers from "#layers/memory/MemoryWorkers"
import * as NoCertificates from "#layers/x509/NoCertificates"
import { ContainerRuntime } from "#services/ContainerRuntime"

/** What the host says first. */
export interface Hosted {
  readonly echo: Worker
  readonly silent: Worker
}

const owner = OwnerId.make("gateway-mine")
const say = (line: string): void => void process.stdout.write(`${line}\n`)

const functions: Readonly<Record<string, MemoryWorkers.MemoryFunction>> = {
  echo: { handler: (event) => event },
  silent: {
    handler: () => {
      say("called")
      return new Promise(() => undefined)
    }
  }
}

const agent = DataDoor.layer({ host: "127.0.0.1", port: 0, drainTimeout: Duration.zero }).pipe(
  Layer.provide([KnownWorkers.layer, OwnerLeases.layer({ leaseMs: 600_000 }), ForwardedLog.layer()]),
  Layer.provideMerge(Layer.mergeAll(MemoryContainerRuntime.layer(), MemoryWorkerClient.layer)),
  Layer.provide([MemoryWorkers.layer(functions), NoCertificates.layer]),
  // Standard output belongs to what the test reads.
  Layer.provide(Logger.layer([]))
)

const program = Effect.gen(function* () {
  const services = yield* Layer.build(agent)
  const { port } = Context.get(services, DataDoor.DataDoor)
  const start = (name: string) =>
    Effect.map(
      Context.get(services, ContainerRuntime).ensure(
        { functionName: FunctionName.make(name), image: "memory", environment: {}, specHash: "5ec" },
        owner
      ),
      (worker): Worker => ({ ...worker, address: { host: "127.0.0.1", port } })
    )
  const hosted: Hosted = { echo: yield* start("echo"), silent: yield* start("silent") }
  say(JSON.stringify(hosted))
  return yield* Effect.never
})

if (import.meta.main) Effect.runFork(Effect.scoped(program))
