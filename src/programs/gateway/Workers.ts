/**
 * Where the Gateway's workers come from and how calls reach them: child processes of its own, or workers behind Agents. The
 * rest of the Gateway cannot tell which.
 */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Duration, Effect, Layer } from "effect"
import type { OwnerId } from "#domain/Worker"
import * as FileArtifactStore from "#layers/files/FileArtifactStore"
import * as ProcessContainerRuntime from "#layers/process/ProcessContainerRuntime"
import * as LambdaRuntimeApi from "#layers/runtime-api/LambdaRuntimeApi"
import * as LocalWorkerClient from "#layers/runtime-api/LocalWorkerClient"
import type { StateInUse } from "#layers/process/StateHold"
import type { CertificateUnusable } from "#layers/x509/CertificateFiles"
import type { ContainerRuntime } from "#services/ContainerRuntime"
import type { LogSink } from "#services/LogSink"
import type { WorkerClient } from "#services/WorkerClient"
import type { GatewaySettings } from "./Settings.ts"

/** `clients` lies beside the bundle that this file becomes a part of. */
const clientsDirectory = fileURLToPath(new URL("./clients", import.meta.url))

/** Where Compose has the one Agent of a stack. */
const composedAgent = "agent:50051"

/** The Agents this Gateway speaks to; none: it starts workers itself. */
export const agentsOf = ({ agentAddresses, agentRuntime }: GatewaySettings): ReadonlyArray<string> =>
  agentAddresses.length === 0 && agentRuntime !== "process" ? [composedAgent] : agentAddresses

const ownChildren = (values: GatewaySettings, home: string) =>
  Layer.mergeAll(
    LocalWorkerClient.layer,
    ProcessContainerRuntime.layer({
      stateDirectory: home,
      clientsDirectory,
      identity: { brand: values.brand, environment: values.environment },
      strict: values.strictRuntimes,
      sdk: { node: join(home, "sdk/node/node_modules"), python: join(home, "sdk/python") }
    })
  ).pipe(
    Layer.provide(
      LambdaRuntimeApi.layer({
        bindHost: values.runtimeApiBind,
        ports: values.runtimeApiPorts,
        initLimitMs: Duration.toMillis(values.initTimeout)
      })
    ),
    Layer.provide(FileArtifactStore.layer(join(home, "artifacts")))
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
