/** The containerd engine with everything it needs: a containerd, a bridge and a stack that no other run of tests has. */
import { Context, Effect, Layer, References, Result } from "effect"
import { spawnSync } from "node:child_process"
import { randomBytes, randomInt } from "node:crypto"
import { existsSync } from "node:fs"
import { join } from "node:path"
import type { StackIdentity } from "#domain/StackIdentity"
import * as Subnet from "#domain/Subnet"
import type { Worker } from "#domain/Worker"
import * as CniPlugins from "#layers/cni/CniPlugins"
import * as CniSettings from "#layers/cni/CniSettings"
import * as ContainerdApi from "#layers/containerd/ContainerdApi"
import * as ContainerdContainerEngine from "#layers/containerd/ContainerdContainerEngine"
import type { ContainerdOptions } from "#layers/containerd/ContainerdSettings"
import * as EngineContainerRuntime from "#layers/containers/EngineContainerRuntime"
import type { RuntimeOptions } from "#layers/containers/RuntimeSettings"
import * as IptablesWorkerFence from "#layers/iptables/IptablesWorkerFence"
import * as ProtocolWorkerClient from "#layers/protocol/ProtocolWorkerClient"
import * as OciRegistry from "#layers/registry/OciRegistry"
import * as ProbedWorkerProtocols from "#layers/rie/ProbedWorkerProtocols"
import * as RieWorkerClient from "#layers/rie/RieWorkerClient"
import type { DoorSettings } from "#layers/runtime-api/DoorSettings"
import * as LambdaRuntimeApi from "#layers/runtime-api/LambdaRuntimeApi"
import * as LocalWorkerClient from "#layers/runtime-api/LocalWorkerClient"
import { Cni } from "#services/Cni"
import { WorkerFence } from "#services/WorkerFence"
import * as Containerd from "./Containerd.ts"
import { pathOf } from "./Engines.ts"
import * as FreeNetwork from "./FreeNetwork.ts"
import * as FunctionImage from "./FunctionImage.ts"
import * as RecordedLog from "./RecordedLog.ts"
import { WorkerFaults } from "./WorkerFaults.ts"
import { specOf, WorkerFunctions } from "./WorkerFunctions.ts"

/** A machine for one stack, which may run several times, one after the other: all that its runs leave goes with the scope. */
export class Machine extends Context.Service<
  Machine,
  Containerd.Containerd & { readonly stack: string; readonly bridge: string; readonly subnet: string }
>()("esb/test/ContainerdMachine") {}

/** Networks of workers on a machine; their bridge is nobody else's. */
export const networksOn = (
  { bridge, directory, subnet }: { readonly bridge: string; readonly directory: string; readonly subnet: string },
  identity: StackIdentity,
  stateDirectory: string
): CniSettings.CniSettings => ({
  ...CniSettings.defaults,
  identity,
  stateDirectory,
  pluginDirectory: pathOf("cni"),
  configurationDirectory: join(directory, "net.d"),
  addressDirectory: join(directory, "addresses"),
  identityFile: undefined,
  subnet: Result.getOrThrow(Subnet.parse(subnet)),
  bridge
})

/** Removes what runs have left with their workers, as the next run would that finds none of them; where there was none, nothing. */
const clear = (settings: CniSettings.CniSettings) =>
  Effect.flatMap(Cni, (cni) => cni.reconcile(new Set())).pipe(
    Effect.provide(CniPlugins.layer({ ...settings, prepared: 0 })),
    Effect.when(Effect.sync(() => existsSync(settings.stateDirectory))),
    Effect.orDie
  )

/** It stays for as long as workers do, and tests take those away behind the Agent's back. */
const lowerFence = (stack: StackIdentity) =>
  Effect.flatMap(WorkerFence, ({ lower }) => lower(stack)).pipe(Effect.provide(IptablesWorkerFence.layer), Effect.orDie)

export const machine = (wish?: Containerd.Wish) =>
  Layer.effect(
    Machine,
    Effect.gen(function* () {
      const id = randomBytes(4).toString("hex")
      const bridge = `esbt-${id}`
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          spawnSync("ip", ["link", "del", bridge])
        })
      )
      const containerd = yield* Containerd.make(wish)
      const { path } = yield* Effect.promise(() => FunctionImage.archive())
      yield* containerd.ctr("images", "import", path)
      const subnet = `${yield* FreeNetwork.find}.${randomInt(0, 255)}.0/24`
      const made = Machine.of({ ...containerd, stack: `test-${id}`, bridge, subnet })
      const { directory, namespace, stack } = made
      const ours = { brand: "esb", environment: stack }
      const ofAgents = { brand: namespace, environment: stack }
      yield* Effect.addFinalizer(() =>
        clear(networksOn(made, ours, join(directory, "networks"))).pipe(
          Effect.andThen(clear(networksOn(made, ofAgents, join(directory, namespace, "networks", stack)))),
          Effect.andThen(lowerFence(ofAgents))
        )
      )
      return made
    })
  )

export interface Options {
  readonly containerd?: Partial<ContainerdOptions & RuntimeOptions>
  readonly cni?: Partial<CniSettings.CniOptions>
  readonly protocols?: Partial<ProbedWorkerProtocols.ProtocolSettings>
  readonly door?: Partial<DoorSettings>
  readonly log?: RecordedLog.RecordedLog
  /** Something between the engine and its containerd. */
  readonly between?: Layer.Layer<ContainerdApi.ContainerdApi, never, ContainerdApi.ContainerdApi>
}

const faults = Layer.effect(
  WorkerFaults,
  Effect.map(Machine, ({ ctr }) =>
    WorkerFaults.of({
      kill: ({ name }: Worker) => Effect.asVoid(ctr("tasks", "kill", "--signal", "SIGKILL", "--all", name))
    })
  )
)

const functions = Layer.effect(
  WorkerFunctions,
  Effect.map(
    Effect.promise(() => FunctionImage.archive()),
    ({ reference }) => WorkerFunctions.of({ spec: (name, asked) => specOf(reference, `index.${name}`, asked) })
  )
)

/** One run: engine, its doors, the client that reaches them, and its workers' functions and faults. */
export const onMachine = (options: Options = {}) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { bridge, directory, namespace, socket, stack, subnet } = yield* Machine
      const identity = { brand: "esb", environment: stack }
      const doors = Layer.unwrap(
        Effect.map(Cni, (cni) => {
          const { gateway } = cni.bridge
          return LambdaRuntimeApi.layer({ bindHost: gateway, advertisedHost: gateway, ...options.door })
        })
      )
      const networks = CniPlugins.layer({
        ...networksOn({ bridge, directory, subnet }, identity, join(directory, "networks")),
        ...options.cni
      })
      const containers = ContainerdContainerEngine.layer(
        { identity, directory: join(directory, "stack"), cgroupParent: `/${namespace}`, ...options.containerd },
        { pullPolicy: "never" }
      )
      return Layer.mergeAll(
        Layer.provide(EngineContainerRuntime.layer({ identity, ...options.containerd }), containers),
        ProtocolWorkerClient.layer({ "runtime-api": LocalWorkerClient.layer, rie: RieWorkerClient.layer() }),
        faults,
        functions
      ).pipe(
        Layer.provide(ProbedWorkerProtocols.layer(options.protocols)),
        Layer.provide(doors),
        Layer.provide(OciRegistry.layer()),
        Layer.provideMerge(networks),
        Layer.provideMerge(
          (options.between ?? Layer.effect(ContainerdApi.ContainerdApi, ContainerdApi.ContainerdApi)).pipe(
            Layer.provide(ContainerdApi.layer({ namespace, socketPath: socket }))
          )
        ),
        Layer.provide((options.log ?? RecordedLog.make()).layer),
        Layer.provide(Layer.succeed(References.MinimumLogLevel, "Warn"))
      )
    })
  )

/** A run on a machine of its own. */
export const layer = (options: Options = {}, wish?: Containerd.Wish) =>
  Layer.provideMerge(onMachine(options), machine(wish))

/** What a shell in the container of a worker says, which has the worker's rights. */
export const inside = ({ name }: Pick<Worker, "name">, command: string) =>
  Effect.flatMap(Machine, ({ ctr }) =>
    ctr("tasks", "exec", "--exec-id", randomBytes(4).toString("hex"), name, "sh", "-c", `{ ${command}; } 2>&1`)
  )
