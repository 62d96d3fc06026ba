/**
 * Workers as containers of a Docker Engine, each with a door of its own that serves no address but the container's. A
 * container's name is its id here: the engine takes either, and a name is known before there is a container. Containers are
 * told apart by their labels. They stay when this process ends, and the next one takes them over; those of this stack that
 * nobody can take over are removed.
 */
import { Clock, Effect, Exit, FiberSet, Layer, Scope } from "effect"
import { RuntimeUnavailable } from "#domain/Failure"
import { isUseless, metricsOf, phaseOf, stateOf, usedAt } from "#domain/HeldContainer"
import * as Ownership from "#domain/Ownership"
import { selectorLabels } from "#domain/StackIdentity"
import { ContainerId, type OwnerId, type WorkerSpec } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { RuntimeApi } from "#services/RuntimeApi"
import type { WorkerProtocols } from "#services/WorkerProtocols"
import * as ContainerEnds from "./ContainerEnds.ts"
import * as ContainerEvents from "./ContainerEvents.ts"
import * as ContainerMeter from "./ContainerMeter.ts"
import * as ContainerStart from "./ContainerStart.ts"
import * as CpuQuota from "./CpuQuota.ts"
import { DockerApi, type EngineFailure } from "./DockerApi.ts"
import { defaults, type DockerOptions, type DockerPlaces, type DockerSettings } from "./DockerSettings.ts"
import type { Container, DockerWorker } from "./DockerWorker.ts"
import * as FormerContainers from "./FormerContainers.ts"
import { KnownContainers } from "./KnownContainers.ts"
import * as LeftoverContainers from "./LeftoverContainers.ts"
import * as WorkerBringUp from "./WorkerBringUp.ts"
import * as WorkerFreeze from "./WorkerFreeze.ts"
import type { WorkersNetwork } from "./WorkersNetwork.ts"

/** Containers that are removed at a time where there are many. */
const parallelRemovals = 16

const unavailable = (failure: EngineFailure): RuntimeUnavailable =>
  new RuntimeUnavailable({ detail: failure.message, cause: failure })

const make = Effect.fnUntraced(function* (settings: DockerSettings) {
  const docker = yield* DockerApi
  const { call, engine, isReachable } = docker
  const api = yield* RuntimeApi
  const ends = yield* ContainerEnds.make(settings)
  const starts = yield* ContainerStart.make(settings, ends)
  const meter = yield* ContainerMeter.make(settings)
  const limitCpu = yield* CpuQuota.make(settings)
  const scope = yield* Effect.scope
  const freeze = yield* WorkerFreeze.make(ends)
  /** Of the workers' doors and all else that ends with this process; many end at once as fast as one. */
  const home = yield* Effect.acquireRelease(Scope.make("parallel"), Scope.close)
  const labels = Object.entries(selectorLabels(settings.identity)).map(([name, value]) => `${name}=${value}`)

  const workers = new Map<ContainerId, DockerWorker>()
  const known = new KnownContainers()
  const surroundings = { settings, starts, known, home }
  const bringUp = yield* WorkerBringUp.make(surroundings)
  const phase = (held: DockerWorker) => phaseOf(held, api.phase(held.worker.id), Date.now())

  const ensure = Effect.fn("ContainerRuntime.ensure")(function* (spec: WorkerSpec, owner: OwnerId) {
    const held = yield* bringUp(spec, owner, (made) => void workers.set(made.worker.id, made))
    // An emulator says nothing, so that its limit counts from the start.
    const begun = Effect.ignore(api.ready(held.worker.id)).pipe(
      Effect.andThen(limitCpu(held)),
      Effect.andThen(meter.look(held))
    )
    yield* Effect.forkIn(begun, held.scope)
    return held.worker
  })

  const use = (held: DockerWorker): void => void Object.assign(held, usedAt(held, Date.now()))

  const find = (id: ContainerId, owner: OwnerId) => Effect.fromResult(Ownership.find(workers, id, owner))

  /** Extensions that listen for it are told, and get their time; where none listens, nobody waits. */
  const sayGoodbye = Effect.fnUntraced(function* (held: DockerWorker) {
    const { container, extensions, worker } = held
    extensions.retire()
    const reason = api.phase(worker.id) === "dirty" ? "failure" : "spindown"
    const grace = settings.shutdownGraceMs
    const now = yield* Clock.currentTimeMillis
    if (container.exit !== undefined || container.door.shutdown(reason, now + grace) === 0) return
    yield* freeze.thaw(held).pipe(
      Effect.andThen(
        Effect.raceFirst(
          call(() => engine.getContainer(container.name).wait()),
          extensions.ended
        )
      ),
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
    yield* freeze.set(held, isPaused)
    if (!isPaused) use(held)
  })

  /** Taken over from an earlier run: of use once it has asked for a call again, and frozen as it was. */
  const watchReturn = (held: DockerWorker): Effect.Effect<void> =>
    (held.worker.protocol === "rie" ? Effect.void : api.ready(held.worker.id)).pipe(
      Effect.andThen(freeze.again(held)),
      Effect.catch(({ message }) =>
        Effect.logInfo(`Worker ${held.worker.name} of an earlier run is removed: ${message}`).pipe(
          Effect.andThen(remove(held)),
          // The collection finds it: it has ended, or its owner gives it up.
          Effect.ignore({ log: "Warn" })
        )
      )
    )

  const metrics = Effect.fnUntraced(function* (id: ContainerId, owner: OwnerId) {
    const held = yield* find(id, owner)
    const { container } = held
    const usage = yield* Effect.mapError(meter.usage(container), unavailable)
    return metricsOf(held, usage, container.exit?.status.outOfMemory === true, yield* Clock.currentTimeMillis)
  })

  const removeLeftovers = LeftoverContainers.removeAll(labels, known.names, starts.remove).pipe(
    Effect.provideService(DockerApi, docker),
    Effect.mapError(unavailable)
  )

  const fork = yield* FiberSet.makeRuntime<never>()
  const onEnd = (name: string): void => {
    const container = known.find(name)
    if (container === undefined) return
    // Where the engine does not answer now, the next connection looks again.
    fork(Effect.ignore(ends.look(container), { log: "Debug" }))
  }

  const foundFrozen = (name: string): Effect.Effect<void> => {
    const held = workers.get(ContainerId.make(name))
    return held === undefined ? Effect.void : freeze.found(held)
  }
  const lookAt = (container: Container) =>
    Effect.flatMap(ends.look(container), (isFrozen) => (isFrozen ? foundFrozen(container.name) : Effect.void))
  const lookAtAll = Effect.suspend(() =>
    Effect.forEach(known.all, lookAt, { concurrency: parallelRemovals, discard: true })
  )
  const returned = yield* Effect.mapError(FormerContainers.takeOver(surroundings), unavailable)
  for (const held of returned) workers.set(held.worker.id, held)
  yield* ContainerEvents.listen({
    labels,
    reconnectEveryMs: settings.reconnectEveryMs,
    onConnected: Effect.ignore(lookAtAll, { log: "Debug" }),
    onEnd,
    onFrozen: (name) => void fork(foundFrozen(name))
  }).pipe(Effect.forkIn(scope))
  const missed = new Set<Container>()
  /** Once at a time: an engine that is away is asked again for a moment. */
  const onMissed = ({ container }: DockerWorker): void => {
    if (missed.has(container)) return
    missed.add(container)
    fork(
      ends
        .missed(container)
        .pipe(Effect.ignore({ log: "Debug" }), Effect.ensuring(Effect.sync(() => missed.delete(container))))
    )
  }
  yield* Effect.forkIn(meter.watch(workers, api.phase, onMissed), scope)
  for (const held of returned) fork(watchReturn(held))

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
          .map((held) => stateOf(held, phase(held), held.container.door.lastCallAtUnixMs()))
      ),
    metrics,
    touch: (id, owner) => Effect.map(find(id, owner), use),
    isReachable,
    gc: (isGone) =>
      Effect.suspend(() => {
        const useless = [...workers.values()].filter((held) => isUseless(held, phase(held), isGone))
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
