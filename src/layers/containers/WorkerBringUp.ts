/** How a worker comes to be: its plan, its door, its container, and how it is spoken to. Whatever fails, nothing is left. */
import { Clock, Effect, Exit, Redacted, Scope } from "effect"
import { randomBytes } from "node:crypto"
import { none as noExtensions } from "#domain/ContainerExtensions"
import { bytesPerMiB } from "#domain/ContainerLimits"
import * as HeldContainer from "#domain/HeldContainer"
import * as LogStreamName from "#domain/LogStreamName"
import { emulatorPort } from "#domain/ProtocolChoice"
import * as StartFailure from "#domain/StartFailure"
import { ContainerId, type OwnerId, type Worker, type WorkerSpec } from "#domain/Worker"
import { ContainerEngine, type EngineContainer, type EngineFailure } from "#services/ContainerEngine"
import { type Door, RuntimeApi } from "#services/RuntimeApi"
import { WorkerProtocols } from "#services/WorkerProtocols"
import type { ContainerWorker, Surroundings } from "./ContainerWorker.ts"
import * as PreparedContainers from "./PreparedContainers.ts"
import * as WorkerExtensions from "./WorkerExtensions.ts"
import * as WorkerPlan from "./WorkerPlan.ts"

/** A container that has only to be started, and its door. */
interface Prepared extends PreparedContainers.PreparedContainer {
  readonly container: EngineContainer
  readonly door: Door
  readonly doorScope: Scope.Closeable
}

/** As it was before an uninterruptible region. */
type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

const newLogStream = (): string => LogStreamName.make(new Date(), randomBytes(LogStreamName.randomBytes))

/** It was made a while ago, and the engine does not start it: another one may well start. */
const isSpoilt = ({ kind }: EngineFailure): boolean => kind === "refused"

export const make = Effect.fnUntraced(function* (surroundings: Surroundings) {
  const { home, known, settings } = surroundings
  const { isReachable } = yield* ContainerEngine
  const api = yield* RuntimeApi
  const protocols = yield* WorkerProtocols
  const planOf = yield* WorkerPlan.make(surroundings)
  /** For our own runtime clients. */
  const patience = { ESB_LISTENER_PATIENCE_SECONDS: String(settings.listenerPatienceMs / 1_000) }

  const prepareIn = Effect.fnUntraced(function* (plan: WorkerPlan.WorkerPlan, scope: Scope.Closeable) {
    const { extensionNames, image, owner, spec } = plan
    const { functionName } = spec
    const name = WorkerPlan.newName(surroundings, spec)
    const containerId = ContainerId.make(name)
    yield* known.claim(name)
    const doorScope = yield* Scope.fork(scope)
    const { handler, memoryMiB, timeoutMs } = plan.settings
    const about = { containerId, containerName: name, functionName, owner, handler, memoryMiB, timeoutMs }
    const door = yield* api.open({ ...about, extensionNames }).pipe(Scope.provide(doorScope))
    const container = yield* image.prepare({
      name,
      spec: { ...spec, environment: { ...spec.environment, ...patience } },
      owner,
      memoryMiB,
      logStream: newLogStream(),
      door,
      told: protocols.namesDoor ? { endpoint: door.endpoint, token: Redacted.value(door.token) } : undefined,
      extensionNames
    })
    if (known.made(container)) yield* container.look
    return { plan, container, scope, door, doorScope } satisfies Prepared
  })

  /** Everything but running. What is made must not be lost on its way to whoever closes its scope: only the making is restored. */
  const prepare = (plan: WorkerPlan.WorkerPlan, restore: Restore) =>
    Effect.flatMap(Scope.fork(home), (scope) =>
      restore(prepareIn(plan, scope)).pipe(
        Scope.provide(scope),
        Effect.onError(() => Scope.close(scope, Exit.void))
      )
    )

  const run = Effect.fnUntraced(function* ({ container, door, doorScope, plan, scope }: Prepared) {
    const { image, owner, settings, spec } = plan
    const host = yield* container.run
    const unsettled = { imageDigest: image.digest, entrypoint: image.entrypoint, contacted: door.contacted, host }
    const protocol = container.exit === undefined ? yield* protocols.settle(unsettled) : "runtime-api"
    // An emulator does not knock, and nobody else in there has any business at the door.
    if (protocol === "rie") yield* Scope.close(doorScope, Exit.void)
    const isExtended = protocol === "runtime-api" && container.exit === undefined
    const extensions = isExtended ? yield* WorkerExtensions.start(container, plan.extensionNames) : noExtensions
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
  const bringUp = (spec: WorkerSpec, owner: OwnerId, register: (held: ContainerWorker) => void) =>
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
