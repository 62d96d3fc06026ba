/** Workers in containers of a Docker Engine, and their doors in the workers' network. */
import { Duration, Effect, Layer } from "effect"
import type { StackIdentity } from "#domain/StackIdentity"
import * as EngineContainerRuntime from "#layers/containers/EngineContainerRuntime"
import * as DockerApi from "#layers/docker/DockerApi"
import * as DockerContainerEngine from "#layers/docker/DockerContainerEngine"
import * as EngineAddress from "#layers/docker/EngineAddress"
import * as SoleAgent from "#layers/docker/SoleAgent"
import * as WorkersNetwork from "#layers/docker/WorkersNetwork"
import * as ProtocolWorkerClient from "#layers/protocol/ProtocolWorkerClient"
import * as ProbedWorkerProtocols from "#layers/rie/ProbedWorkerProtocols"
import * as RieWorkerClient from "#layers/rie/RieWorkerClient"
import * as LambdaRuntimeApi from "#layers/runtime-api/LambdaRuntimeApi"
import * as LocalWorkerClient from "#layers/runtime-api/LocalWorkerClient"
import { BadSettings } from "../Program.ts"
import * as DockerFence from "./DockerFence.ts"
import * as RegistryLogin from "./RegistryLogin.ts"
import type { AgentSettings } from "./Settings.ts"
import * as Trust from "./Trust.ts"

const wrong = (complaint: string): BadSettings => new BadSettings({ program: "agent", complaints: [complaint] })

/** Bound where nobody but workers and this process looks for them; an Agent that stands nowhere near them has to be told. */
const doorsOf = ({ runtimeApiBind, runtimeApiHost }: AgentSettings, near: string) => {
  const bindHost = runtimeApiBind ?? near
  return { bindHost, advertisedHost: runtimeApiHost ?? (bindHost === "0.0.0.0" ? near : bindHost) }
}

const runtimeApi = (values: AgentSettings) =>
  Layer.unwrap(
    Effect.map(WorkersNetwork.WorkersNetwork, ({ gateway, standing }) =>
      LambdaRuntimeApi.layer({
        ...doorsOf(values, standing?.address ?? gateway),
        ports: values.runtimeApiPorts,
        initLimitMs: Duration.toMillis(values.initTimeout)
      })
    )
  )

const protocols = (values: AgentSettings) =>
  ProbedWorkerProtocols.layer({
    setting: values.workerProtocol,
    graceMs: Duration.toMillis(values.rieGrace),
    initLimitMs: Duration.toMillis(values.initTimeout)
  })

const runtime = (values: AgentSettings, home: string, identity: StackIdentity) =>
  Layer.unwrap(
    Effect.map(
      Effect.all({ trustDirectory: Trust.directory(values, home), logins: RegistryLogin.logins(values) }),
      (given) =>
        Layer.provide(
          EngineContainerRuntime.layer({ identity, cpuLimit: values.cpuLimit }),
          DockerContainerEngine.layer({ identity, pullPolicy: values.pullPolicy, ...given })
        )
    )
  )

export const layer = (values: AgentSettings, home: string, network: string, identity: StackIdentity) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const address = EngineAddress.parse(values.dockerHost)
      if (address === undefined) {
        return yield* wrong(
          `DOCKER_HOST (--docker-host) is "${values.dockerHost}": expected unix:///… or tcp://host:port`
        )
      }
      return Layer.mergeAll(
        runtime(values, home, identity),
        ProtocolWorkerClient.layer({ "runtime-api": LocalWorkerClient.layer, rie: RieWorkerClient.layer() })
      ).pipe(
        Layer.provide([runtimeApi(values), protocols(values)]),
        Layer.provide(DockerFence.layer(values, identity)),
        Layer.provide(WorkersNetwork.layer(network, identity)),
        Layer.provide(SoleAgent.layer(identity, home)),
        Layer.provide(DockerApi.layer(address))
      )
    })
  )
