/**
 * Workers that an earlier run of this stack has left. Those that still run are taken over, each with a door where it was before:
 * a runtime client that has lost its poll asks again, and an emulator has not noticed anything. The others are removed, and so
 * is, soon after, whoever does not ask again: AWS's clients end when their poll breaks.
 */
import { Clock, Effect, Exit, Result, Scope } from "effect"
import { none as noExtensions } from "#domain/ContainerExtensions"
import { bytesPerMiB } from "#domain/ContainerLimits"
import { RuntimeUnavailable } from "#domain/Failure"
import * as HeldContainer from "#domain/HeldContainer"
import { emulatorPort } from "#domain/ProtocolChoice"
import { ContainerId, type Worker } from "#domain/Worker"
import {
  ContainerEngine,
  type EngineFailure,
  type FormerContainer,
  type FoundContainer
} from "#services/ContainerEngine"
import { RuntimeApi } from "#services/RuntimeApi"
import { WorkerProtocols } from "#services/WorkerProtocols"
import type { Surroundings } from "./ContainerWorker.ts"

export const takeOver = Effect.fnUntraced(function* ({ home, known, settings }: Surroundings) {
  const engine = yield* ContainerEngine
  const api = yield* RuntimeApi
  const protocols = yield* WorkerProtocols

  const adopt = Effect.fnUntraced(function* (name: string, former: FormerContainer, scope: Scope.Closeable) {
    const { address: host, createdAtUnixSeconds, functionName, isPaused, owner, specHash } = former
    const { handler, memoryMiB, timeoutMs } = former.settings
    yield* known.claim(name)
    const id = ContainerId.make(name)
    const doorScope = yield* Scope.fork(scope)
    const about = { containerId: id, containerName: name, functionName, owner, handler, memoryMiB, timeoutMs }
    const door = yield* api.open({ ...about, extensionNames: [] }, former.door).pipe(Scope.provide(doorScope))
    const container = yield* former.takeOver(door)
    if (known.made(container)) yield* container.look
    door.admit(host)
    const { entrypoint, imageDigest } = former
    const now = yield* Clock.currentTimeMillis
    const protocol = yield* protocols.settle({ imageDigest, entrypoint, contacted: door.contacted, host }).pipe(
      Effect.timeoutOrElse({
        duration: settings.returnLimitMs,
        orElse: () => Effect.fail(new RuntimeUnavailable({ detail: "nobody can tell how it is spoken to" }))
      })
    )
    if (protocol === "rie") yield* Scope.close(doorScope, Exit.void)
    const address = protocol === "rie" ? { host, port: emulatorPort } : door.address
    const worker: Worker = { id, name, functionName, owner, specHash, protocol, address, createdAtUnixSeconds }
    const memoryLimitBytes = memoryMiB * bytesPerMiB
    const extensions = noExtensions
    return HeldContainer.takenOver({ worker, container, extensions, memoryLimitBytes, timeoutMs, scope }, isPaused, now)
  })

  const remove = ({ name, remove }: FoundContainer, why: string) =>
    Effect.logInfo(`Worker ${name} of an earlier run is removed: ${why}`).pipe(
      Effect.andThen(remove),
      // The collection tries again.
      Effect.ignore({ log: "Warn" }),
      Effect.as(undefined)
    )

  const judge = Effect.fnUntraced(function* (found: FoundContainer) {
    const former = yield* found.read
    if (former === undefined) return undefined
    if (Result.isFailure(former)) return yield* remove(found, former.failure)
    const scope = yield* Scope.fork(home)
    return yield* adopt(found.name, former.success, scope).pipe(
      Scope.provide(scope),
      Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
      Effect.catch((failure: EngineFailure) => remove(found, failure.message))
    )
  })

  const found = yield* engine.list
  const judged = yield* Effect.forEach(found, judge, { concurrency: settings.parallelReturns })
  const workers = judged.filter((held) => held !== undefined)
  if (found.length > 0) {
    yield* Effect.logInfo(`Of ${found.length} workers of an earlier run ${workers.length} are taken over`)
  }
  return workers
})
