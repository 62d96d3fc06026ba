/** The Docker engine with everything it needs, under names that no other run of tests has. */
import { Effect, Layer, References } from "effect"
import { randomBytes } from "node:crypto"
import type { Worker } from "#domain/Worker"
import * as EngineContainerRuntime from "#layers/containers/EngineContainerRuntime"
import type { RuntimeOptions } from "#layers/containers/RuntimeSettings"
import { DockerApi, type EngineAddress } from "#layers/docker/DockerApi"
import * as Docker from "#layers/docker/DockerApi"
import * as DockerContainerEngine from "#layers/docker/DockerContainerEngine"
import type { DockerOptions } from "#layers/docker/DockerSettings"
import { volumeName } from "#layers/docker/SoleAgent"
import { WorkersNetwork } from "#layers/docker/WorkersNetwork"
import * as Network from "#layers/docker/WorkersNetwork"
import * as ProtocolWorkerClient from "#layers/protocol/ProtocolWorkerClient"
import * as ProbedWorkerProtocols from "#layers/rie/ProbedWorkerProtocols"
import * as RieWorkerClient from "#layers/rie/RieWorkerClient"
import type { DoorSettings } from "#layers/runtime-api/DoorSettings"
import * as LambdaRuntimeApi from "#layers/runtime-api/LambdaRuntimeApi"
import * as LocalWorkerClient from "#layers/runtime-api/LocalWorkerClient"
import * as FunctionImage from "./FunctionImage.ts"
import * as RecordedLog from "./RecordedLog.ts"
import { WorkerFaults } from "./WorkerFaults.ts"
import { specOf, WorkerFunctions } from "./WorkerFunctions.ts"

const address: EngineAddress = { socketPath: "/var/run/docker.sock" }

/** The engine itself, for what a test does behind the back of ours. */
export const engine = Docker.layer(address)

export interface Options {
  /** Another way to the engine. */
  readonly socketPath?: string
  /** Names a stack; without one it is a new one. */
  readonly stack?: string
  readonly docker?: Partial<DockerOptions & RuntimeOptions>
  readonly protocols?: Partial<ProbedWorkerProtocols.ProtocolSettings>
  readonly door?: Partial<DoorSettings>
  readonly log?: RecordedLog.RecordedLog
  /** Its workers stay when it ends, as an Agent's do; whoever says so sees to their end. */
  readonly leavesWorkers?: boolean
}

/** A stack that no other run has. */
export const freshStack = (): string => `test-${randomBytes(4).toString("hex")}`

/** Every container and network of a stack, and the record of its Agent, removed; the brand is what names and labels begin with. */
const removeAll = (stack: string, brand = "esb") =>
  Effect.gen(function* () {
    const { call, engine } = yield* DockerApi
    const label = [`${brand}_env=${stack}`]
    const containers = yield* call(() => engine.listContainers({ all: true, filters: { label } }))
    yield* Effect.forEach(
      containers,
      // One that ends is removed by whoever notices, perhaps at this moment.
      ({ Id }) => Effect.ignore(call(() => engine.getContainer(Id).remove({ force: true, v: true }))),
      { concurrency: 4 }
    )
    const networks = yield* call(() => engine.listNetworks({ filters: { name: [`esb-${stack}`] } }))
    yield* Effect.forEach(networks, ({ Id }) => Effect.ignore(call(() => engine.getNetwork(Id).remove())))
    yield* Effect.ignore(call(() => engine.getVolume(volumeName({ brand, environment: stack })).remove()))
  }).pipe(Effect.orDie)

/** A stack that may run several times, one after the other: what the last run leaves goes with the scope. */
export const lastingStack = (brand?: string) =>
  Effect.acquireRelease(Effect.sync(freshStack), (stack) => removeAll(stack, brand).pipe(Effect.provide(engine)))

/** Closes after the runtime, and before its network. */
const clearedAtTheEnd = (stack: string) =>
  Layer.effectDiscard(
    Effect.flatMap(DockerApi, (api) =>
      Effect.addFinalizer(() => Effect.provideService(removeAll(stack), DockerApi, api))
    )
  )

const faults = Layer.effect(
  WorkerFaults,
  Effect.map(DockerApi, ({ call, engine }) =>
    WorkerFaults.of({
      kill: ({ name }: Worker) => Effect.orDie(Effect.asVoid(call(() => engine.getContainer(name).kill())))
    })
  )
)

const functions = Layer.effect(
  WorkerFunctions,
  Effect.map(
    Effect.promise(() => FunctionImage.reference()),
    (image) => WorkerFunctions.of({ spec: (name, asked) => specOf(image, `index.${name}`, asked) })
  )
)

/** Engine, its doors, the client that reaches them, and its workers' functions and faults. */
export const layer = (options: Options = {}) => {
  const stack = options.stack ?? freshStack()
  const identity = { brand: "esb", environment: stack }
  const doors = Layer.unwrap(
    Effect.map(WorkersNetwork, ({ gateway }) =>
      LambdaRuntimeApi.layer({ bindHost: gateway, advertisedHost: gateway, ...options.door })
    )
  )
  return Layer.mergeAll(
    EngineContainerRuntime.layer({ identity, ...options.docker }).pipe(
      Layer.provide(DockerContainerEngine.layer({ identity, ...options.docker }))
    ),
    ProtocolWorkerClient.layer({ "runtime-api": LocalWorkerClient.layer, rie: RieWorkerClient.layer() }),
    faults,
    functions
  ).pipe(
    Layer.provide(ProbedWorkerProtocols.layer(options.protocols)),
    Layer.provide(doors),
    Layer.provide(options.leavesWorkers === true ? Layer.empty : clearedAtTheEnd(stack)),
    Layer.provideMerge(Network.layer(`esb-${stack}`, identity)),
    Layer.provideMerge(options.socketPath === undefined ? engine : Docker.layer({ socketPath: options.socketPath })),
    Layer.provide((options.log ?? RecordedLog.make()).layer),
    Layer.provide(Layer.succeed(References.MinimumLogLevel, "Warn"))
  )
}
