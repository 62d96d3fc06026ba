/** How a worker comes to be: its plan, its door, its container, and how it is spoken to. Whatever fails, nothing is left. */
import { Clock, Effect, Exit, Scope } from "effect"
import { randomBytes } from "node:crypto"
import { none as noExtensions } from "#domain/ContainerExtensions"
import { bytesPerMiB } from "#domain/ContainerLimits"
import type { ArtifactNotFound, RuntimeUnsupported } from "#domain/Failure"
import * as HeldContainer from "#domain/HeldContainer"
import { emulatorPort } from "#domain/ProtocolChoice"
import * as StartFailure from "#domain/StartFailure"
import { ContainerId, type OwnerId, type Worker, type WorkerSpec } from "#domain/Worker"
import * as WorkerName from "#domain/WorkerName"
import { type Door, RuntimeApi } from "#services/RuntimeApi"
import { WorkerProtocols } from "#services/WorkerProtocols"
import { ContainerdApi } from "./ContainerdApi.ts"
import type { Container, ContainerdWorker } from "./ContainerdWorker.ts"
import * as ContainerExtensions from "./ContainerExtensions.ts"
import { startOf } from "./ContainerSpec.ts"
import type * as ContainerStart from "./ContainerStart.ts"
import type { Surroundings } from "./FormerContainers.ts"
import * as PreparedContainers from "./PreparedContainers.ts"
import * as WorkerPlan from "./WorkerPlan.ts"

type Failure = ContainerStart.StartFailure | ArtifactNotFound | RuntimeUnsupported

/** A container that has only to be started, and its door. */
interface Prepared extends PreparedContainers.PreparedContainer {
  readonly container: Container
  readonly door: Door
  readonly doorScope: Scope.Closeable
}

/** As it was before an uninterruptible region. */
type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** It was made a while ago, and containerd does not start it: another one may well start. */
const isSpoilt = (failure: Failure): boolean => failure._tag === "ContainerdFailure" && failure.kind === "refused"

export const make = Effect.fnUntraced(function* (surroundings: Surroundings) {
  const { home, known, settings, starts } = surroundings
  const { isReachable } = yield* ContainerdApi
  const api = yield* RuntimeApi
  const protocols = yield* WorkerProtocols
  const planOf = yield* WorkerPlan.make(surroundings)
  const extend = yield* ContainerExtensions.make(surroundings)

  const prepareIn = Effect.fnUntraced(function* (plan: WorkerPlan.WorkerPlan, scope: Scope.Closeable) {
    const { extensionNames, owner, spec } = plan
    const { functionName } = spec
    const name = WorkerName.make(settings.identity, functionName, randomBytes(WorkerName.randomBytes))
    const containerId = ContainerId.make(name)
    yield* known.claim(name)
    const doorScope = yield* Scope.fork(scope)
    const { handler, memoryMiB, timeoutMs } = plan.settings
    const about = { containerId, containerName: name, functionName, owner, handler, memoryMiB, timeoutMs }
    const door = yield* api.open({ ...about, extensionNames }).pipe(Scope.provide(doorScope))
    const container = yield* starts.prepare({ ...plan, name, door })
    known.made(container)
    return { plan, container, scope, door, doorScope } satisfies Prepared
  })

  /** Everything but running. What is made must not be lost on its way to whoever closes its scope: only the making is restored. */
  const prepare = (plan: WorkerPlan.WorkerPlan, restore: Restore): Effect.Effect<Prepared, Failure> =>
    Effect.flatMap(Scope.fork(home), (scope) =>
      restore(prepareIn(plan, scope)).pipe(
        Scope.provide(scope),
        Effect.onError(() => Scope.close(scope, Exit.void))
      )
    )

  const run = Effect.fnUntraced(function* ({ container, door, doorScope, plan, scope }: Prepared) {
    const { image, owner, settings, spec } = plan
    yield* starts.run(container)
    const host = container.network.ipAddress
    const entrypoint = startOf(image.config)
    const unsettled = { imageDigest: image.digest, entrypoint, contacted: door.contacted, host }
    const protocol = container.exit === undefined ? yield* protocols.settle(unsettled) : "runtime-api"
    // An emulator does not knock, and nobody else in there has any business at the door.
    if (protocol === "rie") yield* Scope.close(doorScope, Exit.void)
    const isExtended = protocol === "runtime-api" && container.exit === undefined
    const extensions = isExtended ? yield* extend(container, plan.extensionNames) : noExtensions
    const createdAtUnixSeconds = Math.floor((yield* Clock.currentTimeMillis) / 1_000)
    const { name } = container
    const worker: Worker = {
      id: ContainerId.make(name),
      name,
      functionName: spec.functionName,
      owner,
      specHash: spec.specHash,
      protocol,
      address: protocol === "rie" ? { host, port: emulatorPort } : door.address,
      createdAtUnixSeconds
    }
    const memoryLimitBytes = settings.memoryMiB * bytesPerMiB
    const { timeoutMs } = settings
    return HeldContainer.make({ worker, container, extensions, memoryLimitBytes, timeoutMs, scope })
  })

  const ahead = yield* PreparedContainers.make(settings, (plan) =>
    Effect.uninterruptibleMask((restore) => prepare(plan, restore))
  )

  /** One that was made ahead, or one that is made now. `register` is called with it before anybody can interrupt. */
  const bringUp = (spec: WorkerSpec, owner: OwnerId, register: (held: ContainerdWorker) => void) =>
    Effect.uninterruptibleMask(
      Effect.fnUntraced(function* (restore) {
        const running = (prepared: Prepared) =>
          restore(run(prepared)).pipe(
            Scope.provide(prepared.scope),
            Effect.onError(() => Scope.close(prepared.scope, Exit.void))
          )
        const plan = yield* restore(planOf(spec, owner))
        const taken = yield* ahead.take(plan)
        const made = Effect.flatMap(prepare(plan, restore), running)
        const held = yield* taken === undefined ? made : Effect.catchIf(running(taken), isSpoilt, () => made)
        held.container.stays = true
        register(held)
        return held
      })
    ).pipe(
      Effect.mapError((failure) => StartFailure.make(spec.functionName, failure, isReachable())),
      ahead.first
    )

  return { bringUp, giveUp: ahead.giveUp }
})
