/**
 * Workers as containers of a containerd, each in a network namespace that was prepared for it, with a door of its own that serves
 * no address but the container's. A container's name is its id. They stay when this process ends, and the next one takes them
 * over; those of this stack that nobody can take over are removed.
 */
import { Clock, Effect, Exit, FiberSet, Layer, Scope } from "effect"
import { RuntimeUnavailable } from "#domain/Failure"
import { isUseless, metricsOf, phaseOf, stateOf, usedAt } from "#domain/HeldContainer"
import * as Ownership from "#domain/Ownership"
import type { ContainerId, OwnerId, WorkerSpec } from "#domain/Worker"
import { Cni } from "#services/Cni"
import { ContainerRuntime } from "#services/ContainerRuntime"
import type { Registry } from "#services/Registry"
import { RuntimeApi } from "#services/RuntimeApi"
import type { WorkerProtocols } from "#services/WorkerProtocols"
import { ContainerdApi } from "./ContainerdApi.ts"
import * as ContainerdImages from "./ContainerdImages.ts"
import {
  type ContainerdOptions,
  type ContainerdPlaces,
  type ContainerdSettings,
  defaultsOf
} from "./ContainerdSettings.ts"
import type { ContainerdWorker } from "./ContainerdWorker.ts"
import * as CgroupParents from "./CgroupParents.ts"
import * as ContainerEnds from "./ContainerEnds.ts"
import * as ContainerStart from "./ContainerStart.ts"
import * as CpuQuota from "./CpuQuota.ts"
import * as FormerContainers from "./FormerContainers.ts"
import { KnownContainers } from "./KnownContainers.ts"
import * as LeftoverContainers from "./LeftoverContainers.ts"
import * as TaskEvents from "./TaskEvents.ts"
import * as Tasks from "./Tasks.ts"
import * as WorkerBringUp from "./WorkerBringUp.ts"
import * as WorkerFreeze from "./WorkerFreeze.ts"
import * as WorkerMeter from "./WorkerMeter.ts"

/** Containers that are looked at, or on their way out, at a time: of the latter most wait for their extensions. */
const parallelContainers = 16

const unavailable = (failure: { readonly message: string }): RuntimeUnavailable =>
  new RuntimeUnavailable({ detail: failure.message, cause: failure })

const make = Effect.fnUntraced(function* (
  settings: ContainerdSettings,
  imageSettings: Partial<ContainerdImages.ContainerdImageSettings>
) {
  const containerd = yield* ContainerdApi
  const api = yield* RuntimeApi
  const cni = yield* Cni
  const scope = yield* Effect.scope
  const images = yield* ContainerdImages.make({ ...imageSettings, snapshotter: settings.snapshotter })
  const tasks = yield* Tasks.make(settings)
  const ends = ContainerEnds.make(settings, tasks)
  const starts = yield* ContainerStart.make(settings, tasks)
  const meter = WorkerMeter.make(settings, tasks)
  const limitCpu = CpuQuota.make(settings, tasks)
  const freeze = yield* WorkerFreeze.make(tasks, ends)
  yield* Effect.addFinalizer(() => CgroupParents.removeUnused(settings.cgroupParent))
  /** Of the workers' doors and all else that ends with this process; many end at once as fast as one. */
  const home = yield* Effect.acquireRelease(Scope.make("parallel"), Scope.close)

  const workers = new Map<ContainerId, ContainerdWorker>()
  const known = new KnownContainers()
  const surroundings = { settings, starts, tasks, ends, images, known, home }
  const { bringUp, giveUp } = yield* WorkerBringUp.make(surroundings)
  const phase = (held: ContainerdWorker) => phaseOf(held, api.phase(held.worker.id), Date.now())

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

  const use = (held: ContainerdWorker): void => void Object.assign(held, usedAt(held, Date.now()))

  const find = (id: ContainerId, owner: OwnerId) => Effect.fromResult(Ownership.find(workers, id, owner))

  /** Extensions that listen for it are told, and get their time; where none listens, nobody waits. */
  const sayGoodbye = Effect.fnUntraced(function* (held: ContainerdWorker) {
    const { container, extensions, worker } = held
    extensions.retire()
    const reason = api.phase(worker.id) === "dirty" ? "failure" : "spindown"
    const grace = settings.shutdownGraceMs
    const now = yield* Clock.currentTimeMillis
    if (container.exit !== undefined || container.door.shutdown(reason, now + grace) === 0) return
    yield* freeze.thaw(held).pipe(
      Effect.andThen(Effect.raceFirst(tasks.ended(container.name, grace), extensions.ended)),
      Effect.timeoutOption(grace),
      // It is about to be removed in any case.
      Effect.ignore
    )
  })

  /** The container first, so that a failure to end it is told and the worker stays listed; then all the rest of it. */
  const remove = (held: ContainerdWorker): Effect.Effect<void, RuntimeUnavailable> => {
    const end = sayGoodbye(held).pipe(
      Effect.andThen(Effect.mapError(starts.removeOnce(held.container), unavailable)),
      Effect.andThen(Scope.close(held.scope, Exit.void)),
      Effect.andThen(Effect.sync(() => void workers.delete(held.worker.id)))
    )
    return held.turn.withPermit(Effect.suspend(() => (workers.has(held.worker.id) ? end : Effect.void)))
  }

  const setPaused = Effect.fnUntraced(function* (id: ContainerId, owner: OwnerId, isPaused: boolean) {
    const held = yield* find(id, owner)
    yield* freeze.set(held, isPaused)
    if (!isPaused) use(held)
  })

  /** Taken over from an earlier run: of use once it has asked for a call again, and frozen as it was. */
  const watchReturn = (held: ContainerdWorker): Effect.Effect<void> =>
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
    return metricsOf(held, usage, container.wasOutOfMemory, yield* Clock.currentTimeMillis)
  })

  const removeLeftovers = LeftoverContainers.removeAll(settings.identity, known.names, starts.remove).pipe(
    Effect.provideService(ContainerdApi, containerd),
    Effect.mapError(unavailable)
  )
  /** After the leftovers, which may be in some of them. */
  const removeNetworks = Effect.suspend(() =>
    Effect.mapError(cni.reconcile(new Set(known.all.map(({ network }) => network.name))), unavailable)
  )

  const fork = yield* FiberSet.makeRuntime<never>()
  const lookAtAll = Effect.suspend(() =>
    Effect.forEach(known.all, ends.look, { concurrency: parallelContainers, discard: true })
  )
  const returned = yield* Effect.mapError(FormerContainers.takeOver(surroundings), unavailable)
  for (const held of returned) workers.set(held.worker.id, held)
  yield* removeNetworks

  yield* TaskEvents.listen({
    reconnectEveryMs: settings.reconnectEveryMs,
    onConnected: Effect.ignore(lookAtAll, { log: "Debug" }),
    onEnd: (name) => {
      const container = known.find(name)
      // Where containerd does not answer now, the next connection looks again.
      if (container !== undefined) fork(Effect.ignore(ends.look(container), { log: "Debug" }))
    },
    onOutOfMemory: (name) => {
      const container = known.find(name)
      if (container !== undefined) container.wasOutOfMemory = true
    }
  }).pipe(Effect.forkIn(scope))
  yield* Effect.forkIn(meter.watch(workers, api.phase), scope)
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
    isReachable: containerd.isReachable,
    gc: (isGone) =>
      Effect.suspend(() => {
        giveUp(isGone)
        const useless = [...workers.values()].filter((held) => isUseless(held, phase(held), isGone))
        // One that resists keeps nobody else, and is told of at the end.
        return Effect.gen(function* () {
          const [, [failure]] = yield* Effect.partition(useless, remove, { concurrency: parallelContainers })
          const count = yield* removeLeftovers
          yield* removeNetworks
          return failure === undefined ? count + useless.length : yield* failure
        })
      })
  })
})

export const layer = (
  given: ContainerdPlaces & Partial<ContainerdOptions>,
  images: Partial<ContainerdImages.ContainerdImageSettings> = {}
): Layer.Layer<ContainerRuntime, RuntimeUnavailable, ContainerdApi | Cni | Registry | RuntimeApi | WorkerProtocols> =>
  Layer.effect(ContainerRuntime, make({ ...defaultsOf(given), ...given }, images))
