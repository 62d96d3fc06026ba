/** How a container comes up, step by step; whatever fails or is interrupted, what was made so far goes with the scope. */
import { Deferred, Effect, Option, Schedule, type Scope, Semaphore } from "effect"
import { RuntimeUnavailable } from "#domain/Failure"
import type { ContainerOrder } from "#services/ContainerEngine"
import type { Door } from "#services/RuntimeApi"
import * as CgroupFiles from "./CgroupFiles.ts"
import type { ContainerEnds } from "./ContainerEnds.ts"
import type { ContainerImage } from "./ContainerImages.ts"
import type { ContainerRecord } from "./ContainerRecord.ts"
import * as ContainerOptions from "./ContainerOptions.ts"
import * as ContainerOutput from "./ContainerOutput.ts"
import { DockerApi, type EngineFailure, hasStatus } from "./DockerApi.ts"
import type { Container } from "./DockerContainer.ts"
import type { DockerSettings } from "./DockerSettings.ts"
import { WorkersNetwork } from "./WorkersNetwork.ts"

const containerOf = (name: string, door: Door, engineId: string | undefined) =>
  Effect.map(Deferred.make<void>(), (outputEnded): Container => ({
    name,
    door,
    engineId,
    cgroup: undefined,
    outputEnded,
    exit: undefined,
    wasOutOfMemory: false,
    isRemoved: false,
    stays: false
  }))

/** Another request removes it already. */
const isBeingRemoved = hasStatus(409)
const removalEveryMs = 50
const removalTries = 100

export const make = Effect.fnUntraced(function* (settings: DockerSettings, ends: ContainerEnds) {
  const { call, engine } = yield* DockerApi
  const network = yield* WorkersNetwork
  const output = yield* ContainerOutput.make(settings)
  const starting = Semaphore.makeUnsafe(settings.parallelStarts)
  const removing = Semaphore.makeUnsafe(settings.parallelRemovals)

  /** Gone when this returns, with everything the engine made for it. */
  const remove = (name: string): Effect.Effect<void, EngineFailure> =>
    call((abortSignal) => engine.getContainer(name).remove({ force: true, v: true, abortSignal })).pipe(
      removing.withPermit,
      Effect.asVoid,
      Effect.retry({
        times: removalTries,
        schedule: Schedule.spaced(removalEveryMs),
        while: isBeingRemoved
      }),
      // Gone is gone.
      Effect.catchIf(hasStatus(404), () => Effect.void)
    )

  const removeOnce = (container: Container): Effect.Effect<void, EngineFailure> =>
    Effect.suspend(() =>
      container.isRemoved
        ? Effect.void
        : Effect.andThen(
            remove(container.name),
            Effect.sync(() => {
              container.isRemoved = true
            })
          )
    )

  /** Not interrupted half-way: a container that is made after it was removed would stay for ever. */
  const create = (
    { told, ...order }: ContainerOrder,
    image: ContainerImage,
    container: Container
  ): Effect.Effect<void, EngineFailure, Scope.Scope> => {
    const { identity, trustDirectory } = settings
    const options = ContainerOptions.make({
      ...order,
      identity,
      image,
      network: network.name,
      trustDirectory,
      door: told
    })
    return Effect.acquireRelease(
      call((abortSignal) => engine.createContainer({ ...options, abortSignal }), { repeatable: false }).pipe(
        Effect.tapError(() => Effect.ignore(remove(order.name), { log: "Warn" })),
        Effect.map(({ id }) => {
          container.engineId = id
        })
      ),
      // What cannot be removed now is collected later.
      () => (container.stays ? Effect.void : Effect.ignore(removeOnce(container), { log: "Warn" }))
    )
  }

  /** Where it is in the workers' network. One that has ended already is nowhere, and its door has been told. */
  const locate = Effect.fnUntraced(function* (container: Container) {
    for (let tried = 1; ; tried++) {
      const { NetworkSettings, State } = yield* call((abortSignal) =>
        engine.getContainer(container.name).inspect({ abortSignal })
      )
      if (!State.Running) {
        yield* ends.look(container)
        return ""
      }
      const address = NetworkSettings.Networks[network.name]?.IPAddress ?? ""
      if (address !== "") {
        const files = yield* CgroupFiles.find(State.Pid, container.engineId ?? container.name)
        container.cgroup = Option.getOrUndefined(files)
        return address
      }
      if (tried === settings.addressTries) {
        const detail = `container ${container.name} has no address in ${network.name} after ${tried} looks`
        return yield* new RuntimeUnavailable({ detail })
      }
      yield* Effect.sleep(settings.addressEveryMs)
    }
  })

  /** Everything but running when this returns. */
  const prepare = Effect.fnUntraced(function* (order: ContainerOrder, image: ContainerImage) {
    const container = yield* containerOf(order.name, order.door, undefined)
    yield* create(order, image, container)
    yield* output.capture(container)
    return container
  })

  /** Runs when this returns, or has ended; its address is the one that its door admits. */
  const run = Effect.fnUntraced(function* (container: Container) {
    // A start that was heard of twice is one start: the engine says 304.
    yield* starting.withPermit(call((abortSignal) => engine.getContainer(container.name).start({ abortSignal })))
    const address = yield* locate(container)
    if (address !== "") container.door.admit(address)
    return address
  })

  /** What has been written before is with the engine's own log, and perhaps in ours already. */
  const takeOver = Effect.fnUntraced(function* ({ engineId, isPaused, name, pid }: ContainerRecord, door: Door) {
    const container = yield* containerOf(name, door, engineId)
    // The engine attaches to nothing that is frozen, and its runtime client has to find out that its poll is lost.
    if (isPaused) yield* call((abortSignal) => engine.getContainer(name).unpause({ abortSignal }))
    yield* output.capture(container)
    container.cgroup = Option.getOrUndefined(yield* CgroupFiles.find(pid, engineId))
    container.stays = true
    return container
  })

  return { prepare, run, takeOver, remove, removeOnce }
})

export type ContainerStarts = Effect.Success<ReturnType<typeof make>>
