/** A Gateway's side of an Agent that is a process of its own, without the Gateway. */
import { Layer, Stream } from "effect"
import type { OwnerId } from "#domain/Worker"
import * as Agents from "#layers/grpc/client/Agents"
import * as AgentWatch from "#layers/grpc/client/AgentWatch"
import * as GrpcContainerRuntime from "#layers/grpc/client/GrpcContainerRuntime"
import * as HttpWorkerClient from "#layers/grpc/door/HttpWorkerClient"
import { Certificates } from "#services/Certificates"

/** Of an Agent that speaks without TLS, at its `host:port`. */
export const layer = (address: string, owner: OwnerId) =>
  Layer.mergeAll(GrpcContainerRuntime.layer, HttpWorkerClient.layer).pipe(
    Layer.provide(AgentWatch.layer()),
    Layer.provide(Agents.layer({ addresses: [address], owner })),
    Layer.provide(Layer.succeed(Certificates, Certificates.of({ current: () => undefined, changes: Stream.empty })))
  )
