/**
 * Containers that an earlier run of this stack has left. Those that still run are taken over, each with a door where it was
 * before: a runtime client that has lost its poll asks again, and an emulator has not noticed anything. The others are removed,
 * and so is, soon after, whoever does not ask again: AWS's clients end when their poll breaks.
 */
import { Clock, Effect, Exit, Result, Scope } from "effect"
import { none as noExtensions } from "#domain/ContainerExtensions"
import { bytesPerMiB } from "#domain/ContainerLimits"
import { RuntimeUnavailable } from "#domain/Failure"
import * as HeldContainer from "#domain/HeldContainer"
import { emulatorPort } from "#domain/ProtocolChoice"
import { selectorLabels } from "#domain/StackIdentity"
import { ContainerId, type Worker } from "#domain/Worker"
import { RuntimeApi } from "#services/RuntimeApi"
import { WorkerProtocols } from "#services/WorkerProtocols"
import * as ContainerRecord from "./ContainerRecord.ts"
import type * as ContainerStart from "./ContainerStart.ts"
import { DockerApi, type EngineFailure, hasStatus } from "./DockerApi.ts"
import type { DockerSettings } from "./DockerSettings.ts"
import type { KnownContainers } from "./KnownContainers.ts"
import { WorkersNetwork } from "./WorkersNetwork.ts"

export interface Surroundings {
  readonly settings: DockerSettings
  readonly known: KnownContainers
  readonly starts: Effect.Success<ReturnType<typeof ContainerStart.make>>
  /** Of the workers. */
  readonly home: Scope.Scope
}

export const takeOver = Effect.fnUntraced(function* ({ home, known, settings, starts }: Surroundings) {
  const { call, engine } = yield* DockerApi
  const api = yield* RuntimeApi
  const protocols = yield* WorkerProtocols
  const network = yield* WorkersNetwork
  const label = Object.entries(selectorLabels(settings.identity)).map(([name, value]) => `${name}=${value}`)

  const adopt = Effect.fnUntraced(function* (record: ContainerRecord.ContainerRecord, scope: Scope.Closeable) {
    const { address: host, createdAtUnixSeconds, functionName, name, owner, specHash } = record
    const { handler, memoryMiB, timeoutMs } = record.settings
    yield* known.claim(name)
    const id = ContainerId.make(name)
    const doorScope = yield* Scope.fork(scope)
    const about = { containerId: id, containerName: name, functionName, owner, handler, memoryMiB, timeoutMs }
    const door = yield* api.open({ ...about, extensionNames: [] }, record.door).pipe(Scope.provide(doorScope))
    const container = yield* starts.takeOver(record, door)
    known.made(container)
    door.admit(host)
    const { entrypoint, imageDigest } = record
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
    return HeldContainer.takenOver(
      { worker, container, extensions, memoryLimitBytes, timeoutMs, scope },
      record.isPaused,
      now
    )
  })

  const remove = (name: string, why: string) =>
    Effect.logInfo(`Worker ${name} of an earlier run is removed: ${why}`).pipe(
      Effect.andThen(starts.remove(name)),
      // The collection tries again.
      Effect.ignore({ log: "Warn" }),
      Effect.as(undefined)
    )

  const judge = Effect.fnUntraced(function* (name: string) {
    const seen = yield* call((abortSignal) => engine.getContainer(name).inspect({ abortSignal })).pipe(
      Effect.catchIf(hasStatus(404), () => Effect.undefined)
    )
    if (seen === undefined) return undefined
    const record = ContainerRecord.read(seen, settings.identity, network.name)
    if (Result.isFailure(record)) return yield* remove(name, record.failure)
    const scope = yield* Scope.fork(home)
    return yield* adopt(record.success, scope).pipe(
      Scope.provide(scope),
      Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
      Effect.catch((failure: EngineFailure | RuntimeUnavailable) => remove(name, failure.message))
    )
  })

  const found = yield* call((abortSignal) => engine.listContainers({ all: true, filters: { label }, abortSignal }))
  const names = found.flatMap(({ Names: [name] }) => (name === undefined ? [] : [name.replace(/^\//, "")]))
  const judged = yield* Effect.forEach(names, judge, { concurrency: settings.parallelStarts })
  const workers = judged.filter((held) => held !== undefined)
  if (names.length > 0) {
    yield* Effect.logInfo(`Of ${names.length} workers of an earlier run ${workers.length} are taken over`)
  }
  return workers
})
