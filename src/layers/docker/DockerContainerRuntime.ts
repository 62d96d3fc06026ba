/**
 * Workers as containers of a Docker Engine, each with a door of its own that serves no address but the container's. A
 * container's name is its id here: the engine takes either, and a name is known before there is a container. Containers are
 * told apart by their labels; those of this stack that have no door are leftovers of an earlier run, and removed.
 */
import { Clock, Effect, Exit, FiberSet, Layer, Result, Scope, Semaphore } from "effect"
import { randomBytes } from "node:crypto"
import { type ArtifactNotFound, RuntimeUnavailable, RuntimeUnsupported } from "#domain/Failure"
import * as Ownership from "#domain/Ownership"
import { emulatorPort } from "#domain/ProtocolChoice"
import { selectorLabels } from "#domain/StackIdentity"
import {
  ContainerId,
  type ContainerState,
  type ContainerStatus,
  type OwnerId,
  type Worker,
  type WorkerSpec
} from "#domain/Worker"
import * as WorkerName from "#domain/WorkerName"
import * as WorkerSettings from "#domain/WorkerSettings"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { RuntimeApi } from "#services/RuntimeApi"
import { WorkerProtocols } from "#services/WorkerProtocols"
import * as ContainerEnds from "./ContainerEnds.ts"
import * as ContainerEvents from "./ContainerEvents.ts"
import * as ContainerImages from "./ContainerImages.ts"
import * as ContainerMeter from "./ContainerMeter.ts"
import * as ContainerStart from "./ContainerStart.ts"
import { DockerApi, type EngineFailure, hasStatus } from "./DockerApi.ts"
import { defaults, type DockerOptions, type DockerPlaces, type DockerSettings } from "./DockerSettings.ts"
import type { Container, DockerWorker } from "./DockerWorker.ts"
import * as LeftoverContainers from "./LeftoverContainers.ts"
import { WorkersNetwork } from "./WorkersNetwork.ts"

const bytesPerMiB = 1_048_576
const nowUnixSeconds = (): number => Math.floor(Date.now() / 1_000)

/** Code in a bundle, which only child processes run. */
const artifactPrefix = "artifact:"

/** Containers that are removed at a time where there are many. */
const parallelRemovals = 16

const unavailable = (failure: EngineFailure): RuntimeUnavailable =>
  new RuntimeUnavailable({ detail: failure.message, cause: failure })

const statusOf = ({ container, isPaused }: DockerWorker): ContainerStatus => {
  if (container.exit !== undefined) return "STOPPED"
  return isPaused ? "PAUSED" : "RUNNING"
}

const make = Effect.fnUntraced(function* (settings: DockerSettings) {
  const docker = yield* DockerApi
  const { call, engine, isReachable } = docker
  const api = yield* RuntimeApi
  const protocols = yield* WorkerProtocols
  const images = yield* ContainerImages.make(settings)
  const ends = yield* ContainerEnds.make(settings)
  const starts = yield* ContainerStart.make(settings, ends)
  const meter = yield* ContainerMeter.make(settings)
  const scope = yield* Effect.scope
  /** Of the workers: many of them end at once as fast as one. */
  const home = yield* Effect.acquireRelease(Scope.make("parallel"), Scope.close)
  const labels = Object.entries(selectorLabels(settings.identity)).map(([name, value]) => `${name}=${value}`)

  const workers = new Map<ContainerId, DockerWorker>()
  /** Of every container that is ours now, those that are still starting included. */
  const containers = new Map<string, Container>()
  const names = new Set<string>()

  const phaseOf = ({ container, worker }: DockerWorker): ContainerState["phase"] => {
    if (container.exit !== undefined) return "dirty"
    // What an emulator does in a call nobody sees.
    return worker.protocol === "rie" ? "idle" : (api.phase(worker.id) ?? "dirty")
  }

  const bringUp = Effect.fnUntraced(function* (
    spec: WorkerSpec,
    owner: OwnerId,
    workerSettings: WorkerSettings.WorkerSettings,
    scope: Scope.Closeable
  ) {
    const image = yield* images.get(spec.image)
    const { functionName, specHash } = spec
    const name = WorkerName.make(settings.identity, functionName, randomBytes(WorkerName.randomBytes))
    const id = ContainerId.make(name)
    names.add(name)
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        names.delete(name)
        containers.delete(name)
      })
    )
    const doorScope = yield* Scope.fork(scope)
    const { handler, memoryMiB, timeoutMs } = workerSettings
    const about = { containerId: id, containerName: name, functionName, owner, handler, memoryMiB, timeoutMs }
    const door = yield* api.open({ ...about, extensionNames: [] }).pipe(Scope.provide(doorScope))
    const { address, container } = yield* starts.bringUp(
      { name, spec, owner, image, settings: workerSettings, door },
      (made) => containers.set(name, made)
    )
    const unsettled = {
      imageDigest: image.digest,
      entrypoint: image.entrypoint,
      contacted: door.contacted,
      host: address
    }
    const protocol = container.exit === undefined ? yield* protocols.settle(unsettled) : "runtime-api"
    // An emulator does not knock, and nobody else in there has any business at the door.
    if (protocol === "rie") yield* Scope.close(doorScope, Exit.void)
    const createdAtUnixSeconds = nowUnixSeconds()
    const worker: Worker = {
      id,
      name,
      functionName,
      owner,
      specHash,
      protocol,
      address: protocol === "rie" ? { host: address, port: emulatorPort } : door.address,
      createdAtUnixSeconds
    }
    return {
      worker,
      container,
      memoryLimitBytes: memoryMiB * bytesPerMiB,
      scope,
      turn: Semaphore.makeUnsafe(1),
      isPaused: false,
      lastUsedAtUnixSeconds: createdAtUnixSeconds
    } satisfies DockerWorker
  })

  const startFailure = (
    spec: WorkerSpec,
    failure: EngineFailure | RuntimeUnavailable | ArtifactNotFound
  ): RuntimeUnavailable | ArtifactNotFound => {
    if (failure._tag === "ArtifactNotFound") return failure
    const { functionName } = spec
    return failure._tag === "RuntimeUnavailable"
      ? new RuntimeUnavailable({ functionName, detail: failure.detail, cause: failure.cause })
      : new RuntimeUnavailable({ functionName, detail: failure.message, cause: failure })
  }

  const ensure = Effect.fn("ContainerRuntime.ensure")(function* (spec: WorkerSpec, owner: OwnerId) {
    if (spec.image.startsWith(artifactPrefix)) {
      const detail = "the Docker Engine runs images; build one of the function, or run it as a child process"
      return yield* new RuntimeUnsupported({ runtime: spec.image, detail })
    }
    const { functionName } = spec
    const read = WorkerSettings.fromEnvironment(spec.environment)
    if (Result.isFailure(read)) return yield* new RuntimeUnavailable({ functionName, detail: read.failure })
    return yield* Effect.uninterruptibleMask(
      Effect.fnUntraced(function* (restore) {
        const workerScope = yield* Scope.fork(home)
        const held = yield* restore(bringUp(spec, owner, read.success, workerScope)).pipe(
          Scope.provide(workerScope),
          Effect.mapError((failure) => startFailure(spec, failure)),
          Effect.onError(() => Scope.close(workerScope, Exit.void))
        )
        workers.set(held.worker.id, held)
        const firstLook = Effect.andThen(Effect.ignore(api.ready(held.worker.id)), meter.look(held))
        yield* Effect.forkIn(firstLook, workerScope)
        return held.worker
      })
    )
  })

  const find = (id: ContainerId, owner: OwnerId) => Effect.fromResult(Ownership.find(workers, id, owner))

  /** Extensions that listen for it are told, and get their time; where none listens, nobody waits. */
  const sayGoodbye = Effect.fnUntraced(function* ({ container, worker }: DockerWorker) {
    const reason = api.phase(worker.id) === "dirty" ? "failure" : "spindown"
    const grace = settings.shutdownGraceMs
    const now = yield* Clock.currentTimeMillis
    if (container.exit !== undefined || container.door.shutdown(reason, now + grace) === 0) return
    yield* call(() => engine.getContainer(container.name).wait()).pipe(
      Effect.timeoutOption(grace),
      // It is about to be removed in any case.
      Effect.ignore
    )
  })

  /** The container first, so that a failure to end it is told and the worker stays listed; then all the rest of it. */
  const remove = (held: DockerWorker): Effect.Effect<void, RuntimeUnavailable> => {
    const end = sayGoodbye(held).pipe(
      Effect.andThen(Effect.mapError(starts.removeOnce(held.container), unavailable)),
      Effect.andThen(Scope.close(held.scope, Exit.void)),
      Effect.andThen(Effect.sync(() => workers.delete(held.worker.id)))
    )
    return held.turn.withPermit(Effect.suspend(() => (workers.has(held.worker.id) ? Effect.asVoid(end) : Effect.void)))
  }

  const setPaused = Effect.fnUntraced(function* (id: ContainerId, owner: OwnerId, isPaused: boolean) {
    const held = yield* find(id, owner)
    const container = engine.getContainer(held.container.name)
    if (held.isPaused !== isPaused && held.container.exit === undefined) {
      yield* call((abortSignal) =>
        isPaused ? container.pause({ abortSignal }) : container.unpause({ abortSignal })
      ).pipe(
        // It has ended, or is so already: whichever it is, a look tells.
        Effect.catchIf(hasStatus(409), () => ends.look(held.container)),
        Effect.catchIf(hasStatus(404), () => ends.look(held.container)),
        Effect.mapError(unavailable)
      )
    }
    if (held.container.exit !== undefined) {
      return yield* new RuntimeUnavailable({ detail: `container ${held.worker.name} is not running` })
    }
    held.isPaused = isPaused
    if (!isPaused) held.lastUsedAtUnixSeconds = nowUnixSeconds()
  })

  const metrics = Effect.fnUntraced(function* (id: ContainerId, owner: OwnerId) {
    const held = yield* find(id, owner)
    const { container, worker } = held
    const usage = yield* Effect.mapError(meter.usage(container), unavailable)
    return {
      containerId: id,
      functionName: worker.functionName,
      containerName: worker.name,
      status: statusOf(held),
      ...usage,
      memoryLimitBytes: held.memoryLimitBytes,
      oomEvents: Math.max(usage.oomEvents, container.exit?.status.outOfMemory === true ? 1 : 0),
      exitCode: container.exit?.code ?? 0,
      exitedAtUnixSeconds: container.exit?.atUnixSeconds ?? 0,
      collectedAtUnixSeconds: nowUnixSeconds()
    }
  })

  const removeLeftovers = LeftoverContainers.removeAll(labels, names, starts.remove).pipe(
    Effect.provideService(DockerApi, docker),
    Effect.mapError(unavailable)
  )

  const fork = yield* FiberSet.makeRuntime<never>()
  const onEnd = (name: string): void => {
    const container = containers.get(name)
    if (container === undefined) return
    // Where the engine does not answer now, the next connection looks again.
    fork(Effect.ignore(ends.look(container), { log: "Debug" }))
  }

  const lookAtAll = Effect.suspend(() =>
    Effect.forEach([...containers.values()], ends.look, { concurrency: parallelRemovals, discard: true })
  )
  const leftovers = yield* removeLeftovers
  if (leftovers > 0) yield* Effect.logInfo(`${leftovers} containers of an earlier run were removed`)
  yield* ContainerEvents.listen({
    labels,
    reconnectEveryMs: settings.reconnectEveryMs,
    onConnected: Effect.ignore(lookAtAll, { log: "Debug" }),
    onEnd
  }).pipe(Effect.forkIn(scope))
  yield* Effect.forkIn(meter.watch(workers, api.phase), scope)

  return ContainerRuntime.of({
    ensure,
    destroy: (id, owner) =>
      find(id, owner).pipe(
        Effect.flatMap(remove),
        Effect.catchTag("ContainerNotFound", () => Effect.void)
      ),
    suspend: (id, owner) => setPaused(id, owner, true),
    resume: (id, owner) => setPaused(id, owner, false),
    list: (owner) =>
      Effect.sync(() =>
        [...workers.values()]
          .filter((held) => held.worker.owner === owner)
          .map((held): ContainerState => ({
            ...held.worker,
            status: statusOf(held),
            phase: phaseOf(held),
            lastUsedAtUnixSeconds: Math.max(
              held.lastUsedAtUnixSeconds,
              Math.floor((held.container.door.lastCallAtUnixMs() ?? 0) / 1_000)
            )
          }))
      ),
    metrics,
    touch: (id, owner) =>
      Effect.map(find(id, owner), (held) => {
        held.lastUsedAtUnixSeconds = nowUnixSeconds()
      }),
    isReachable,
    gc: (isGone) =>
      Effect.suspend(() => {
        const useless = [...workers.values()].filter(
          (held) => held.container.exit !== undefined || (isGone(held.worker.owner) && phaseOf(held) !== "busy")
        )
        return Effect.forEach(useless, remove, { concurrency: parallelRemovals, discard: true }).pipe(
          Effect.andThen(removeLeftovers),
          Effect.map((count) => count + useless.length)
        )
      })
  })
})

export const layer = (
  given: DockerPlaces & Partial<DockerOptions>
): Layer.Layer<ContainerRuntime, RuntimeUnavailable, DockerApi | WorkersNetwork | RuntimeApi | WorkerProtocols> =>
  Layer.effect(ContainerRuntime, make({ ...defaults, ...given }))
