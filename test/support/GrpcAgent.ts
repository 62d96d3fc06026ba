/** An Agent over an engine of this process, and a Gateway's side of it: everything between them passes real sockets. */
import { Duration, Effect, Layer, References } from "effect"
import { OwnerId } from "#domain/Worker"
import * as Agents from "#layers/grpc/client/Agents"
import * as AgentServer from "#layers/grpc/server/AgentServer"
import * as AgentWatch from "#layers/grpc/client/AgentWatch"
import * as DataDoor from "#layers/grpc/door/DataDoor"
import * as ForwardedLog from "#layers/grpc/log/ForwardedLog"
import * as GrpcContainerRuntime from "#layers/grpc/client/GrpcContainerRuntime"
import * as GrpcWorkerClient from "#layers/grpc/client/GrpcWorkerClient"
import * as HttpWorkerClient from "#layers/grpc/door/HttpWorkerClient"
import * as KnownWorkers from "#layers/grpc/KnownWorkers"
import * as OwnerLeases from "#layers/grpc/OwnerLeases"
import * as Handlers from "#programs/agent/Handlers"
import type { Certificates } from "#services/Certificates"
import type { ContainerRuntime } from "#services/ContainerRuntime"
import type { WorkerClient } from "#services/WorkerClient"

const host = "127.0.0.1"
const maxAnswerBytes = 10 * 1024 ** 2
const quiet = Layer.succeed(References.MinimumLogLevel, "Error")

/** Serves an engine on ports that the system chooses. */
export const agent = <E, R>(
  engine: Layer.Layer<ContainerRuntime | WorkerClient, E, R>,
  certificates: Layer.Layer<Certificates>
) =>
  Layer.unwrap(
    Effect.map(DataDoor.DataDoor, ({ port }) =>
      AgentServer.layer(
        { host, port: 0, reflection: false, maxAnswerBytes, drainMs: 1_000 },
        Handlers.make({ dataDoor: { host: undefined, port }, maxAnswerBytes })
      )
    )
  ).pipe(
    Layer.provide(DataDoor.layer({ host, port: 0, drainTimeout: Duration.seconds(1) })),
    Layer.provide([KnownWorkers.layer, OwnerLeases.layer({ leaseMs: 600_000 })]),
    Layer.provide([engine, ForwardedLog.layer(), certificates]),
    Layer.provide(quiet)
  )

/** By what a Gateway's calls reach workers. */
export type Way = "the data door" | "InvokeWorker"

/** A Gateway's engine and client, over one Agent. */
export const gateway = (way: Way, certificates: Layer.Layer<Certificates>, owner = OwnerId.make("gateway-mine")) =>
  Layer.unwrap(
    Effect.map(AgentServer.AgentServer, ({ port }) =>
      Layer.mergeAll(
        GrpcContainerRuntime.layer,
        way === "InvokeWorker" ? GrpcWorkerClient.layer : HttpWorkerClient.layer
      ).pipe(
        Layer.provide(AgentWatch.layer()),
        Layer.provide(Agents.layer({ addresses: [`${host}:${port}`], owner })),
        Layer.provide(certificates),
        Layer.provide(quiet)
      )
    )
  )
