/** How a worker comes to be: its image, its door, its container, and how it is spoken to. Whatever fails, nothing is left. */
import { Clock, Effect, Exit, Result, Scope } from "effect"
import { randomBytes } from "node:crypto"
import { none as noExtensions } from "#domain/ContainerExtensions"
import { bytesPerMiB } from "#domain/ContainerLimits"
import { RuntimeUnavailable, RuntimeUnsupported } from "#domain/Failure"
import * as HeldContainer from "#domain/HeldContainer"
import { emulatorPort } from "#domain/ProtocolChoice"
import * as StartFailure from "#domain/StartFailure"
import { ContainerId, type OwnerId, type Worker, type WorkerSpec } from "#domain/Worker"
import * as WorkerName from "#domain/WorkerName"
import * as WorkerSettings from "#domain/WorkerSettings"
import { RuntimeApi } from "#services/RuntimeApi"
import { WorkerProtocols } from "#services/WorkerProtocols"
import * as ContainerExtensions from "./ContainerExtensions.ts"
import * as ContainerImages from "./ContainerImages.ts"
import { DockerApi } from "./DockerApi.ts"
import type { DockerWorker } from "./DockerWorker.ts"
import type { Surroundings } from "./FormerContainers.ts"
import * as ImageExtensions from "./ImageExtensions.ts"

/** Code in a bundle, which only child processes run. */
const artifactPrefix = "artifact:"

export const make = Effect.fnUntraced(function* ({ home, known, settings, starts }: Surroundings) {
  const { isReachable } = yield* DockerApi
  const api = yield* RuntimeApi
  const protocols = yield* WorkerProtocols
  const images = yield* ContainerImages.make(settings)
  const extensionsOf = yield* ImageExtensions.make(settings)
  const extend = yield* ContainerExtensions.make(settings)

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
    yield* known.claim(name)
    const extensionNames = protocols.namesDoor ? yield* extensionsOf(image, name) : []
    const doorScope = yield* Scope.fork(scope)
    const { handler, memoryMiB, timeoutMs } = workerSettings
    const about = { containerId: id, containerName: name, functionName, owner, handler, memoryMiB, timeoutMs }
    const door = yield* api.open({ ...about, extensionNames }).pipe(Scope.provide(doorScope))
    const { address, container } = yield* starts.bringUp(
      { name, spec, owner, image, settings: workerSettings, door, extensionNames },
      (made) => known.made(made)
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
    const isExtended = protocol === "runtime-api" && container.exit === undefined
    const extensions = isExtended ? yield* extend(container, extensionNames) : noExtensions
    const createdAtUnixSeconds = Math.floor((yield* Clock.currentTimeMillis) / 1_000)
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
    const memoryLimitBytes = memoryMiB * bytesPerMiB
    return HeldContainer.make({ worker, container, extensions, memoryLimitBytes, timeoutMs, scope })
  })

  /** `register` is called with the worker before anybody can interrupt. */
  return Effect.fnUntraced(function* (spec: WorkerSpec, owner: OwnerId, register: (held: DockerWorker) => void) {
    if (spec.image.startsWith(artifactPrefix)) {
      const detail = "the Docker Engine runs images; build one of the function, or run it as a child process"
      return yield* new RuntimeUnsupported({ runtime: spec.image, detail })
    }
    const { functionName } = spec
    const read = WorkerSettings.fromEnvironment(spec.environment)
    if (Result.isFailure(read)) return yield* new RuntimeUnavailable({ functionName, detail: read.failure })
    return yield* Effect.uninterruptibleMask(
      Effect.fnUntraced(function* (restore) {
        const scope = yield* Scope.fork(home)
        const held = yield* restore(bringUp(spec, owner, read.success, scope)).pipe(
          Scope.provide(scope),
          Effect.mapError((failure) => StartFailure.make(spec.functionName, failure, isReachable())),
          Effect.onError(() => Scope.close(scope, Exit.void))
        )
        held.container.stays = true
        register(held)
        return held
      })
    )
  })
})
