/** Workers in containers of a containerd, and their doors at the machine's end of the workers' bridge. */
import { dirname, join } from "node:path"
import { Duration, Effect, Layer } from "effect"
import { RuntimeUnavailable } from "#domain/Failure"
import * as RuntimeName from "#domain/RuntimeName"
import type { StackIdentity } from "#domain/StackIdentity"
import * as CniPlugins from "#layers/cni/CniPlugins"
import * as CniSettings from "#layers/cni/CniSettings"
import * as ContainerdApi from "#layers/containerd/ContainerdApi"
import * as ContainerdContainerEngine from "#layers/containerd/ContainerdContainerEngine"
import * as ContainerdVersion from "#layers/containerd/ContainerdVersion"
import * as SoleAgent from "#layers/containerd/SoleAgent"
import * as StackContainers from "#layers/containerd/StackContainers"
import * as EngineContainerRuntime from "#layers/containers/EngineContainerRuntime"
import * as IptablesWorkerFence from "#layers/iptables/IptablesWorkerFence"
import * as ProtocolWorkerClient from "#layers/protocol/ProtocolWorkerClient"
import * as OciRegistry from "#layers/registry/OciRegistry"
import * as ProbedWorkerProtocols from "#layers/rie/ProbedWorkerProtocols"
import * as RieWorkerClient from "#layers/rie/RieWorkerClient"
import * as LambdaRuntimeApi from "#layers/runtime-api/LambdaRuntimeApi"
import * as LocalWorkerClient from "#layers/runtime-api/LocalWorkerClient"
import * as TrustBundle from "#layers/x509/TrustBundle"
import { Cni } from "#services/Cni"
import * as PeerCertificates from "../PeerCertificates.ts"
import { BadSettings } from "../Program.ts"
import * as Fence from "./Fence.ts"
import * as Names from "./Names.ts"
import * as RegistryLogin from "./RegistryLogin.ts"
import type { AgentSettings } from "./Settings.ts"
import * as SnapshotterChoice from "./SnapshotterChoice.ts"

const isSecure = ({ tls, tlsDisabled }: AgentSettings): boolean =>
  PeerCertificates.isSecure({ enabled: tls, disabled: tlsDisabled })

/** Beside containerd's socket: containerd, wherever it runs, sees what is there. */
const directoryOf = ({ containerdSocket }: AgentSettings, { brand }: StackIdentity): string =>
  join(dirname(containerdSocket), brand)

const trust = Effect.fnUntraced(function* (values: AgentSettings, stackDirectory: string) {
  if (!isSecure(values)) return undefined
  const directory = join(stackDirectory, "worker-ca")
  yield* TrustBundle.keep({ directory, authorityPath: values.caCertPath })
  return directory
})

const runtime = Effect.fnUntraced(function* (values: AgentSettings, identity: StackIdentity) {
  const { containerdRuntimeBinary, containerdSharedShim, cpuLimit, pullPolicy } = values
  const directory = directoryOf(values, identity)
  const wrong = RuntimeName.complaints(values.containerdRuntime, containerdRuntimeBinary, containerdSharedShim)
  if (wrong.length > 0) return yield* new BadSettings({ program: "agent", complaints: wrong })
  const runtime = RuntimeName.named(values.containerdRuntime)
  const containers = ContainerdContainerEngine.layer(
    {
      identity,
      directory,
      ...(runtime === undefined ? {} : { runtime }),
      runtimeProgram: containerdRuntimeBinary,
      snapshotter: SnapshotterChoice.snapshotterOf(values),
      trustDirectory: yield* trust(values, directory),
      freeze: values.containerdFreeze,
      sharesShim: containerdSharedShim
    },
    { pullPolicy }
  )
  const workers = EngineContainerRuntime.layer({
    identity,
    cpuLimit,
    preparedPerSpec: values.preparedWorkers,
    preparedTotal: values.preparedWorkersTotal,
    preparedIdleMs: Duration.toMillis(values.preparedWorkersIdle)
  })
  return Layer.provide(workers, containers)
}, Layer.unwrap)

const networks = (values: AgentSettings, identity: StackIdentity) =>
  CniPlugins.layer({
    ...CniSettings.defaults,
    identity,
    stateDirectory: join(directoryOf(values, identity), "networks", encodeURIComponent(identity.environment)),
    pluginDirectory: values.cniBinDir,
    configurationDirectory: values.cniConfDir,
    configurationFile: values.cniConfFile,
    subnet: values.cniSubnet,
    bridge: values.cniBridge,
    nameserver: values.cniDnsServer,
    addressDirectory: values.cniNetDir
  })

const registry = (values: AgentSettings) =>
  Layer.unwrap(
    Effect.map(RegistryLogin.logins(values), (logins) =>
      OciRegistry.layer({
        credentials: new Map(logins.map(({ registry, ...login }) => [registry, login])),
        insecureHosts: new Set(values.registryInsecure ? [values.registry] : []),
        authorityPath: isSecure(values) ? values.caCertPath : undefined
      })
    )
  )

const runtimeApi = (values: AgentSettings) =>
  Layer.unwrap(
    Effect.map(Cni, ({ bridge }) => {
      const bindHost = values.runtimeApiBind ?? bridge.gateway
      return LambdaRuntimeApi.layer({
        bindHost,
        advertisedHost: values.runtimeApiHost ?? (bindHost === "0.0.0.0" ? bridge.gateway : bindHost),
        ports: values.runtimeApiPorts,
        initLimitMs: Duration.toMillis(values.initTimeout)
      })
    })
  )

const fence = Effect.fnUntraced(function* (values: AgentSettings, stack: StackIdentity) {
  const { bridge } = yield* Cni
  yield* Fence.raise(values, stack, {
    bridge: bridge.name,
    entry: "FORWARD",
    standing: Effect.succeed({ address: bridge.gateway, of: "machine" }),
    isNeeded: false,
    hasWorkers: Effect.map(StackContainers.list(stack), (found) => found.length > 0)
  })
})

/** Its version, from whoever answers where one should. */
const answering = ({ containerdSocket }: AgentSettings) =>
  Effect.mapError(ContainerdVersion.get, (failure) => {
    const advice = `start it at CONTAINERD_SOCKET (--containerd-socket), which is ${containerdSocket}, or name another`
    return new RuntimeUnavailable({ detail: `${failure.detail}: ${advice}`, isAway: true, cause: failure })
  })

/** Nothing of this machine is touched before containerd has answered, nor where another Agent of the stack has its hands on it. */
export const layer = (values: AgentSettings, home: string, identity: StackIdentity) =>
  Layer.unwrap(
    Effect.map(Effect.tap(answering(values), SnapshotterChoice.check(values)), (version) =>
      Layer.mergeAll(
        runtime(values, identity),
        ProtocolWorkerClient.layer({ "runtime-api": LocalWorkerClient.layer, rie: RieWorkerClient.layer() }),
        Layer.effectDiscard(Effect.logInfo(`Workers are containers of containerd ${version}`))
      ).pipe(
        Layer.provide([
          runtimeApi(values),
          registry(values),
          ProbedWorkerProtocols.layer({
            setting: values.workerProtocol,
            graceMs: Duration.toMillis(values.rieGrace),
            initLimitMs: Duration.toMillis(values.initTimeout)
          })
        ]),
        Layer.provide(Layer.effectDiscard(fence(values, identity)).pipe(Layer.provide(IptablesWorkerFence.layer))),
        Layer.provide(Names.layer(values)),
        Layer.provide(networks(values, identity)),
        Layer.provide(SoleAgent.layer(directoryOf(values, identity), identity, home))
      )
    )
  ).pipe(Layer.provide(ContainerdApi.layer({ namespace: identity.brand, socketPath: values.containerdSocket })))
