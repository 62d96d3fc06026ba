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

/** The engine of the settings is not part of this version. */
class EngineNotOffered extends Schema.TaggedError<EngineNotOffered>()("EngineNotOffered", {
  runtime: Schema.String
}) {
  override get message() {
    return (
      `AGENT_RUNTIME is ${this.runtime}, and this version starts workers as child processes or by a Docker Engine: set ` +
      "AGENT_RUNTIME to process or docker. docs/gaps.md says what is missing."
    )
  }
}

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

/** Read from disk only when it is wanted: an Agent whose workers are its children starts without the engine's client. */
const inContainers = (values: AgentSettings, home: string, identity: StackIdentity) =>
  Layer.unwrap(
    Effect.gen(function* () {
      if (values.runtime === "containerd") return yield* new EngineNotOffered({ runtime: values.runtime })
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
type NoEngine = Layer.Error<ReturnType<typeof ofProcesses> | ReturnType<typeof inContainers>>

export const layer = (
  values: AgentSettings,
  home: string,
  identity: StackIdentity
): Layer.Layer<ContainerRuntime | WorkerClient, NoEngine, LogSink> =>
  values.runtime === "process" ? ofProcesses(values, home, identity) : inContainers(values, home, identity)
