/**
 * Workers as containers of an engine, each with a door of its own that serves no address but the container's. A container's name
 * is its id: it is known before there is a container. They stay when this process ends, and the next one takes them over; those
 * of this stack that nobody can take over are removed.
 */
import { Clock, Effect, Exit, FiberSet, Layer, Scope } from "effect"
import { RuntimeUnavailable } from "#domain/Failure"
import { isUseless, metricsOf, noUsage, phaseOf, stateOf, usedAt } from "#domain/HeldContainer"
import * as Ownership from "#domain/Ownership"
import { ContainerId, type OwnerId, type WorkerSpec } from "#domain/Worker"
import { ContainerEngine, type EngineContainer, type EngineFailure } from "#services/ContainerEngine"
import { ContainerRuntime } from "#services/ContainerRuntime"
import { RuntimeApi } from "#services/RuntimeApi"
import type { WorkerProtocols } from "#services/WorkerProtocols"
import type { ContainerWorker } from "./ContainerWorker.ts"
import * as CpuQuota from "./CpuQuota.ts"
import * as FormerWorkers from "./FormerWorkers.ts"
import { KnownContainers } from "./KnownContainers.ts"
import * as LeftoverContainers from "./LeftoverContainers.ts"
import { defaults, type RuntimeOptions, type RuntimePlaces, type RuntimeSettings } from "./RuntimeSettings.ts"
import * as WorkerBringUp from "./WorkerBringUp.ts"
import * as WorkerFreeze from "./WorkerFreeze.ts"
import * as WorkerMeter from "./WorkerMeter.ts"

/** Containers that are looked at, or on their way out, at a time: of the latter most wait for their extensions. */
const parallelContainers = 16

const unavailable = (failure: EngineFailure): RuntimeUnavailable =>
  new RuntimeUnavailable({ detail: failure.message, cause: failure })

const make = Effect.fnUntraced(function* (settings: RuntimeSettings) {
  const engine = yield* ContainerEngine
  const api = yield* RuntimeApi
  const scope = yield* Effect.scope
  /** Of the workers' doors and all else that ends with this process; many end at once as fast as one. */
  const home = yield* Effect.acquireRelease(Scope.make("parallel"), Scope.close)
  const freeze = WorkerFreeze.make(engine.isReachable)
  const limitCpu = CpuQuota.make(settings)

  const workers = new Map<ContainerId, ContainerWorker>()
  const known = new KnownContainers()
  const surroundings = { settings, known, home }
  const { bringUp, giveUp } = yield* WorkerBringUp.make(surroundings)
  const phase = (held: ContainerWorker) => phaseOf(held, api.phase(held.worker.id), Date.now())

  const ensure = Effect.fn("ContainerRuntime.ensure")(function* (spec: WorkerSpec, owner: OwnerId) {
    const held = yield* bringUp(spec, owner, (made) => void workers.set(made.worker.id, made))
    const { container } = held
    // An emulator says nothing, so that its limit counts from the start.
    const begun = Effect.ignore(api.ready(held.worker.id)).pipe(
      Effect.andThen(limitCpu(held)),
      Effect.andThen(Effect.suspend(() => (container.isDearToMeasure() ? Effect.void : container.measure)))
    )
    yield* Effect.forkIn(begun, held.scope)
    return held.worker
  })

  const use = (held: ContainerWorker): void => void Object.assign(held, usedAt(held, Date.now()))

  const find = (id: ContainerId, owner: OwnerId) => Effect.fromResult(Ownership.find(workers, id, owner))

  /** Extensions that listen for it are told, and get their time; where none listens, nobody waits. */
  const sayGoodbye = Effect.fnUntraced(function* (held: ContainerWorker) {
    const { container, extensions, worker } = held
    extensions.retire()
    const reason = api.phase(worker.id) === "dirty" ? "failure" : "spindown"
    const grace = settings.shutdownGraceMs
    const now = yield* Clock.currentTimeMillis
    if (container.exit !== undefined || container.door.shutdown(reason, now + grace) === 0) return
    yield* freeze.thaw(held).pipe(
      Effect.andThen(Effect.raceFirst(container.ended(grace), extensions.ended)),
      Effect.timeoutOption(grace),
      // It is about to be removed in any case.
      Effect.ignore
    )
  })

  /**
   * The container first, so that a failure to end it is told and the worker stays listed; then all the rest of it. `isMeant` is
   * asked when its turn has come.
   */
  const remove = (held: ContainerWorker, isMeant = () => true): Effect.Effect<void, RuntimeUnavailable> => {
    const end = sayGoodbye(held).pipe(
      Effect.andThen(Effect.mapError(held.container.remove, unavailable)),
      Effect.andThen(Scope.close(held.scope, Exit.void)),
      Effect.andThen(Effect.sync(() => void workers.delete(held.worker.id)))
    )
    const isThere = (): boolean => workers.has(held.worker.id)
    return held.turn.withPermit(Effect.suspend(() => (isThere() && isMeant() ? end : Effect.void)))
  }

  const setPaused = Effect.fnUntraced(function* (id: ContainerId, owner: OwnerId, isPaused: boolean) {
    const held = yield* find(id, owner)
    yield* freeze.set(held, isPaused)
    if (!isPaused) use(held)
  })

  /** Taken over from an earlier run: of use once it has asked for a call again, and frozen as it was. */
  const watchReturn = (held: ContainerWorker): Effect.Effect<void> =>
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
    const usage = container.exit === undefined ? yield* Effect.mapError(container.usage, unavailable) : noUsage
    return metricsOf(held, usage, container.wasOutOfMemory, yield* Clock.currentTimeMillis)
  })

  const removeLeftovers = LeftoverContainers.removeAll(known.names).pipe(
    Effect.provideService(ContainerEngine, engine),
    Effect.mapError(unavailable)
  )
  /** After the leftovers, which may be in some of them. */
  const removeNetworks = Effect.suspend(() => {
    const inUse = known.all.flatMap(({ networkName }) => (networkName === undefined ? [] : [networkName]))
    return Effect.mapError(engine.removeNetworks(new Set(inUse)), unavailable)
  })

  const fork = yield* FiberSet.makeRuntime<never>()
  const foundFrozen = (name: string): Effect.Effect<void> => {
    const held = workers.get(ContainerId.make(name))
    return held === undefined ? Effect.void : freeze.found(held)
  }
  /** Where the engine cannot tell of it now, the next connection looks again. It keeps no other from being looked at. */
  const lookAt = (container: EngineContainer) =>
    Effect.flatMap(container.look, (isFrozen) => (isFrozen ? foundFrozen(container.name) : Effect.void)).pipe(
      Effect.ignore({ log: "Debug" })
    )
  const lookAtAll = Effect.suspend(() =>
    Effect.forEach(known.all, lookAt, { concurrency: parallelContainers, discard: true })
  )

  const returned = yield* Effect.mapError(FormerWorkers.takeOver(surroundings), unavailable)
  for (const held of returned) workers.set(held.worker.id, held)
  yield* removeNetworks
  const listening = engine.listen({
    onConnected: lookAtAll,
    onEnd: (name) => {
      const container = known.ended(name)
      if (container !== undefined) fork(lookAt(container))
    },
    onFrozen: (name) => void fork(foundFrozen(name)),
    onOutOfMemory: (name) => {
      const container = known.find(name)
      if (container !== undefined) container.wasOutOfMemory = true
    }
  })
  yield* Effect.forkIn(listening, scope)
  yield* Effect.forkIn(WorkerMeter.watch(workers, api.phase, settings.sampleEveryMs), scope)
  for (const held of returned) fork(watchReturn(held))

  return ContainerRuntime.of({
    ensure,
    destroy: (id, owner) =>
      find(id, owner).pipe(
        Effect.flatMap((held) => remove(held)),
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
    isReachable: engine.isReachable,
    gc: (isGone) =>
      Effect.suspend(() => {
        giveUp(isGone)
        const isOfNoUse = (held: ContainerWorker): boolean => isUseless(held, phase(held), isGone)
        const useless = [...workers.values()].filter(isOfNoUse)
        // By then its owner may be back, and have called it.
        const removeUseless = (held: ContainerWorker) => remove(held, () => isOfNoUse(held))
        // One that resists keeps nobody else, and is told of at the end.
        return Effect.gen(function* () {
          const [, [failure]] = yield* Effect.partition(useless, removeUseless, { concurrency: parallelContainers })
          const count = yield* removeLeftovers
          yield* removeNetworks
          const gone = useless.filter(({ worker }) => !workers.has(worker.id))
          return failure === undefined ? count + gone.length : yield* failure
        })
      })
  })
})

export const layer = (
  given: RuntimePlaces & Partial<RuntimeOptions>
): Layer.Layer<ContainerRuntime, RuntimeUnavailable, ContainerEngine | RuntimeApi | WorkerProtocols> =>
  Layer.effect(ContainerRuntime, make({ ...defaults, ...given }))
