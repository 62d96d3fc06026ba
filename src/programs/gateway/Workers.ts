/**
 * Where the Gateway's workers come from and how calls reach them: child processes of its own, or workers behind Agents. The
 * rest of the Gateway cannot tell which.
 */
import { Duration, Effect, Layer } from "effect"
import type { OwnerId } from "#domain/Worker"
import * as LambdaRuntimeApi from "#layers/runtime-api/LambdaRuntimeApi"
import * as LocalWorkerClient from "#layers/runtime-api/LocalWorkerClient"
import type { StateInUse } from "#layers/process/StateHold"
import type { CertificateUnusable } from "#layers/x509/CertificateFiles"
import type { ContainerRuntime } from "#services/ContainerRuntime"
import type { LogSink } from "#services/LogSink"
import type { WorkerClient } from "#services/WorkerClient"
import * as ChildWorkers from "../ChildWorkers.ts"
import type { GatewaySettings } from "./Settings.ts"

/** Where Compose has the one Agent of a stack. */
const composedAgent = "agent:50051"

/** The Agents this Gateway speaks to; none: it starts workers itself. */
export const agentsOf = ({ agentAddresses, agentRuntime }: GatewaySettings): ReadonlyArray<string> =>
  agentAddresses.length === 0 && agentRuntime !== "process" ? [composedAgent] : agentAddresses

const ownChildren = (values: GatewaySettings, home: string) =>
  Layer.mergeAll(
    LocalWorkerClient.layer,
    ChildWorkers.layer(home, { brand: values.brand, environment: values.environment }, values.strictRuntimes)
  ).pipe(
    Layer.provide(
      LambdaRuntimeApi.layer({
        bindHost: values.runtimeApiBind,
        ports: values.runtimeApiPorts,
        initLimitMs: Duration.toMillis(values.initTimeout)
      })
    )
  )

/** Read from disk only when it is wanted: a Gateway with workers of its own starts without gRPC. */
const behindAgents = (values: GatewaySettings, owner: OwnerId, addresses: ReadonlyArray<string>) =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("./AgentWorkers.ts")),
      (AgentWorkers) => AgentWorkers.layer(values, owner, addresses)
    )
  )

type Workers = Layer.Layer<ContainerRuntime | WorkerClient, CertificateUnusable | StateInUse, LogSink>

export const layer = (values: GatewaySettings, home: string, owner: OwnerId): Workers => {
  const addresses = agentsOf(values)
  return addresses.length === 0 ? ownChildren(values, home) : behindAgents(values, owner, addresses)
}
