/** Workers behind Agents: started by gRPC, called by the Agents' data doors, their log brought home. */
import { Layer } from "effect"
import type { OwnerId } from "#domain/Worker"
import * as Agents from "#layers/grpc/client/Agents"
import * as AgentWatch from "#layers/grpc/client/AgentWatch"
import * as GrpcContainerRuntime from "#layers/grpc/client/GrpcContainerRuntime"
import * as GrpcWorkerClient from "#layers/grpc/client/GrpcWorkerClient"
import * as HttpWorkerClient from "#layers/grpc/door/HttpWorkerClient"
import * as LogSubscription from "#layers/grpc/log/LogSubscription"
import * as ProtocolWorkerClient from "#layers/protocol/ProtocolWorkerClient"
import * as RieWorkerClient from "#layers/rie/RieWorkerClient"
import * as PeerCertificates from "../PeerCertificates.ts"
import type { GatewaySettings } from "./Settings.ts"

const certificates = (values: GatewaySettings) =>
  PeerCertificates.layer(
    { enabled: values.agentTls, disabled: values.agentTlsDisabled },
    {
      certificatePath: values.agentCertPath,
      keyPath: values.agentKeyPath,
      authorityPath: values.agentCaCertPath
    }
  )

export const layer = (values: GatewaySettings, owner: OwnerId, addresses: ReadonlyArray<string>) =>
  Layer.mergeAll(
    GrpcContainerRuntime.layer,
    values.agentInvokeProxy
      ? GrpcWorkerClient.layer
      : ProtocolWorkerClient.layer({ "runtime-api": HttpWorkerClient.layer, rie: RieWorkerClient.layer() }),
    LogSubscription.layer
  ).pipe(
    Layer.provide(AgentWatch.layer()),
    Layer.provide(Agents.layer({ addresses, owner })),
    Layer.provide(certificates(values))
  )
