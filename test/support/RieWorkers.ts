/**
 * An engine for tests whose workers bring an emulator: each a process on a loopback address of its own, as a container has
 * one, with a door of the Runtime API that it does not use. What its workers do in a call, this engine does not see.
 */
import { Effect, Exit, Layer, Result } from "effect"
import { randomBytes } from "node:crypto"
import { RuntimeUnavailable } from "#domain/Failure"
import * as Ownership from "#domain/Ownership"
import { emulatorPort } from "#domain/ProtocolChoice"
import {
  ContainerId,
  type ContainerMetrics,
  type ContainerState,
  type ContainerStatus,
  type OwnerId,
  type Worker,
  type WorkerSpec
} from "#domain/Worker"
import * as WorkerName from "#domain/WorkerName"
import * as WorkerSettings from "#domain/WorkerSettings"
import * as MemoryArtifactStore from "#layers/memory/MemoryArtifactStore"
import * as ProtocolWorkerClient from "#layers/protocol/ProtocolWorkerClient"
import * as ProbedWorkerProtocols from "#layers/rie/ProbedWorkerProtocols"
import * as RieWorkerClient from "#layers/rie/RieWorkerClient"
import * as LambdaRuntimeApi from "#layers/runtime-api/LambdaRuntimeApi"
import * as LocalWorkerClient from "#layers/runtime-api/LocalWorkerClient"
import { ArtifactStore } from "#services/ArtifactStore"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { RuntimeApi } from "#services/RuntimeApi"
import { WorkerProtocols } from "#services/WorkerProtocols"
import * as Emulators from "./Emulators.ts"
import * as RecordedLog from "./RecordedLog.ts"
import { WorkerFaults } from "./WorkerFaults.ts"
import * as WorkerFunctions from "./WorkerFunctions.ts"

interface Held {
  readonly worker: Worker
  readonly emulator: Emulators.EmulatorProcess
  readonly memoryMiB: number
  isPaused: boolean
  lastUsedAtUnixSeconds: number
  endedAtUnixSeconds: number
}

const nowSeconds = (): number => Math.floor(Date.now() / 1_000)

const statusOf = ({ emulator, isPaused }: Held): ContainerStatus => {
  if (Emulators.hasEnded(emulator)) return "STOPPED"
  return isPaused ? "PAUSED" : "RUNNING"
}

const stateOf = (held: Held): ContainerState => {
  const status = statusOf(held)
  const { lastUsedAtUnixSeconds, worker } = held
  return { ...worker, status, phase: status === "STOPPED" ? "dirty" : "idle", lastUsedAtUnixSeconds }
}

const metricsOf = (held: Held): ContainerMetrics => ({
  containerId: held.worker.id,
  containerName: held.worker.name,
  functionName: held.worker.functionName,
  status: statusOf(held),
  memoryBytes: 0,
  memoryLimitBytes: held.memoryMiB * 1_048_576,
  oomEvents: 0,
  cpuNanoseconds: 0,
  exitCode: held.emulator.child.exitCode ?? (Emulators.hasEnded(held.emulator) ? 137 : 0),
  exitedAtUnixSeconds: held.endedAtUnixSeconds,
  collectedAtUnixSeconds: nowSeconds()
})

/** Whole seconds: an emulator panics at others. */
const environmentOf = (spec: WorkerSpec, timeoutMs: number, taskDirectory: string, endpoint: string) => ({
  ...spec.environment,
  AWS_LAMBDA_FUNCTION_TIMEOUT: String(Math.ceil(timeoutMs / 1_000)),
  AWS_LAMBDA_RUNTIME_API: endpoint,
  LAMBDA_TASK_ROOT: taskDirectory
})

const make = (name: Emulators.EmulatorName, workers: Map<ContainerId, Held>) =>
  Effect.gen(function* () {
    const api = yield* RuntimeApi
    const protocols = yield* WorkerProtocols
    const artifacts = yield* ArtifactStore

    const register = (worker: Worker, emulator: Emulators.EmulatorProcess, memoryMiB: number): Worker => {
      const lastUsedAtUnixSeconds = worker.createdAtUnixSeconds
      const held: Held = {
        worker,
        emulator,
        memoryMiB,
        isPaused: false,
        lastUsedAtUnixSeconds,
        endedAtUnixSeconds: 0
      }
      emulator.child.once("exit", () => {
        held.endedAtUnixSeconds = nowSeconds()
      })
      workers.set(worker.id, held)
      return worker
    }

    const ensure = Effect.fnUntraced(function* (spec: WorkerSpec, owner: OwnerId) {
      const { functionName, specHash } = spec
      const read = WorkerSettings.fromEnvironment(spec.environment)
      if (Result.isFailure(read)) return yield* new RuntimeUnavailable({ functionName, detail: read.failure })
      const { handler, memoryMiB, timeoutMs } = read.success
      const { taskDirectory } = yield* artifacts.find(spec.image)
      const { entrypoint, host } = yield* Emulators.image(name)
      const identity = { brand: "esb", environment: "test" }
      const id = ContainerId.make(WorkerName.make(identity, functionName, randomBytes(WorkerName.randomBytes)))
      const about = { containerId: id, containerName: id, functionName, owner, handler, memoryMiB, timeoutMs }
      const door = yield* api.open({ ...about, extensionNames: [] })
      return yield* Effect.acquireUseRelease(
        Effect.sync(() => {
          const environment = environmentOf(spec, timeoutMs, taskDirectory, door.endpoint)
          return Emulators.spawnImage({ entrypoint, host }, environment)
        }),
        (emulator) => {
          door.admit(host)
          const unsettled = { imageDigest: spec.image, entrypoint, contacted: door.contacted, host }
          return Effect.map(protocols.settle(unsettled), (protocol) => {
            const address = { host, port: emulatorPort }
            const createdAtUnixSeconds = nowSeconds()
            const worker = { id, name: id, functionName, owner, specHash, protocol, address, createdAtUnixSeconds }
            return register(worker, emulator, memoryMiB)
          })
        },
        (emulator, exit) => (Exit.isSuccess(exit) ? Effect.void : Emulators.end(emulator))
      )
    }, Effect.scoped)

    const find = (id: ContainerId, owner: OwnerId) => Effect.fromResult(Ownership.find(workers, id, owner))

    const pause = (isPaused: boolean) =>
      Effect.fnUntraced(function* (id: ContainerId, owner: OwnerId) {
        const held = yield* find(id, owner)
        if (Emulators.hasEnded(held.emulator)) return yield* new RuntimeUnavailable({ detail: `${id} has ended` })
        Emulators.signal(held.emulator, isPaused ? "SIGSTOP" : "SIGCONT")
        held.isPaused = isPaused
      })

    const remove = ({ emulator, worker }: Held) =>
      Effect.andThen(
        Emulators.end(emulator),
        Effect.sync(() => void workers.delete(worker.id))
      )

    yield* Effect.addFinalizer(() =>
      Effect.forEach([...workers.values()], remove, { concurrency: "unbounded", discard: true })
    )

    return ContainerRuntime.of({
      ensure,
      destroy: (id, owner) =>
        find(id, owner).pipe(
          Effect.flatMap(remove),
          // Gone is gone.
          Effect.catchTag("ContainerNotFound", () => Effect.void)
        ),
      suspend: pause(true),
      resume: pause(false),
      list: (owner) =>
        Effect.sync(() => [...workers.values()].filter(({ worker }) => worker.owner === owner).map(stateOf)),
      metrics: (id, owner) => Effect.map(find(id, owner), metricsOf),
      isReachable: () => true,
      touch: (id, owner) =>
        Effect.map(find(id, owner), (held) => {
          held.lastUsedAtUnixSeconds = nowSeconds()
        }),
      gc: () => {
        const ended = [...workers.values()].filter(({ emulator }) => Emulators.hasEnded(emulator))
        return Effect.as(Effect.forEach(ended, remove, { discard: true }), ended.length)
      }
    })
  })

/** Engine, faults and functions, and the client that reaches the workers by the protocol that was found. */
export const layer = (name: Emulators.EmulatorName) => {
  const workers = new Map<ContainerId, Held>()
  const kill = (worker: Worker) =>
    Effect.sync(() => {
      const held = workers.get(worker.id)
      if (held !== undefined) Emulators.signal(held.emulator, "SIGKILL")
    })
  return Layer.mergeAll(
    Layer.effect(ContainerRuntime, make(name, workers)),
    ProtocolWorkerClient.layer({ "runtime-api": LocalWorkerClient.layer, rie: RieWorkerClient.layer() }),
    Layer.succeed(WorkerFaults, WorkerFaults.of({ kill })),
    WorkerFunctions.inArtifacts
  ).pipe(
    Layer.provide(ProbedWorkerProtocols.layer({ graceMs: 200 })),
    Layer.provide(LambdaRuntimeApi.layer().pipe(Layer.provide(RecordedLog.make().layer))),
    Layer.provide(MemoryArtifactStore.layer)
  )
}
