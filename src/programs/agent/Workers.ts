/** What starts the workers of this host, and how the Agent itself speaks to them. */
import { Duration, Effect, Layer, Schema } from "effect"
import type { StackIdentity } from "#domain/StackIdentity"
import * as ProtocolWorkerClient from "#layers/protocol/ProtocolWorkerClient"
import * as RieWorkerClient from "#layers/rie/RieWorkerClient"
import * as LambdaRuntimeApi from "#layers/runtime-api/LambdaRuntimeApi"
import * as LocalWorkerClient from "#layers/runtime-api/LocalWorkerClient"
import type { ContainerRuntime } from "#services/ContainerRuntime"
import type { LogSink } from "#services/LogSink"
import type { WorkerClient } from "#services/WorkerClient"
import * as ChildWorkers from "../ChildWorkers.ts"
import { BadSettings } from "../Program.ts"
import type { AgentSettings } from "./Settings.ts"

/** An emulator lives in an image; a child process speaks the Runtime API. */
class ProtocolNotOffered extends Schema.TaggedError<ProtocolNotOffered>()("ProtocolNotOffered", {}) {
  override get message() {
    return "AGENT_WORKER_PROTOCOL is rie, and workers that are child processes have no emulator: leave it at auto."
  }
}

const runtimeApi = (values: AgentSettings) =>
  LambdaRuntimeApi.layer({
    bindHost: values.runtimeApiBind ?? "127.0.0.1",
    advertisedHost: values.runtimeApiHost ?? "127.0.0.1",
    ports: values.runtimeApiPorts,
    initLimitMs: Duration.toMillis(values.initTimeout)
  })

const ofProcesses = (values: AgentSettings, home: string, identity: StackIdentity) =>
  Layer.unwrap(
    Effect.gen(function* () {
      if (values.workerProtocol === "rie") return yield* new ProtocolNotOffered()
      return Layer.mergeAll(
        ChildWorkers.layer(home, identity, values.strictRuntimes),
        ProtocolWorkerClient.layer({ "runtime-api": LocalWorkerClient.layer, rie: RieWorkerClient.layer() })
      ).pipe(Layer.provide(runtimeApi(values)))
    })
  )

/** An engine is read from disk only when it is wanted: every Agent starts without the clients of the others. */
const inContainerd = (values: AgentSettings, home: string, identity: StackIdentity) =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("./ContainerdWorkers.ts")),
      (ContainerdWorkers) => ContainerdWorkers.layer(values, home, identity)
    )
  )

const inDocker = (values: AgentSettings, home: string, identity: StackIdentity) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const network = values.containersNetwork
      if (network === undefined) {
        const complaint = "CONTAINERS_NETWORK (--containers-network) is required: expected the network of the workers"
        return yield* new BadSettings({ program: "agent", complaints: [complaint] })
      }
      const ContainerWorkers = yield* Effect.promise(() => import("./ContainerWorkers.ts"))
      return ContainerWorkers.layer(values, home, network, identity)
    })
  )

/** Why an Agent has nothing that starts workers. */
type NoEngine = Layer.Error<
  ReturnType<typeof ofProcesses> | ReturnType<typeof inDocker> | ReturnType<typeof inContainerd>
>

export const layer = (
  values: AgentSettings,
  home: string,
  identity: StackIdentity
): Layer.Layer<ContainerRuntime | WorkerClient, NoEngine, LogSink> => {
  if (values.runtime === "process") return ofProcesses(values, home, identity)
  return values.runtime === "docker" ? inDocker(values, home, identity) : inContainerd(values, home, identity)
}
