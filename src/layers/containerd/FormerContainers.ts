/**
 * Containers that an earlier run of this stack has left. Those that still run are taken over, each with a door where it was
 * before: a runtime client that has lost its poll asks again, and an emulator has not noticed anything. The others are removed,
 * and so is, soon after, whoever does not ask again: AWS's clients end when their poll breaks.
 */
import { status } from "@grpc/grpc-js"
import { Clock, Effect, Exit, Option, Result, Scope } from "effect"
import { none as noExtensions } from "#domain/ContainerExtensions"
import { bytesPerMiB } from "#domain/ContainerLimits"
import { RuntimeUnavailable } from "#domain/Failure"
import * as HeldContainer from "#domain/HeldContainer"
import { emulatorPort } from "#domain/ProtocolChoice"
import { ContainerId, type Worker } from "#domain/Worker"
import { Cni } from "#services/Cni"
import { RuntimeApi } from "#services/RuntimeApi"
import { WorkerProtocols } from "#services/WorkerProtocols"
import type { ContainerdFailure } from "./ContainerdFailure.ts"
import type * as ContainerdImages from "./ContainerdImages.ts"
import type { ContainerdSettings } from "./ContainerdSettings.ts"
import * as ContainerRecord from "./ContainerRecord.ts"
import type { ContainerEnds } from "./ContainerEnds.ts"
import type { ContainerStarts, StartFailure } from "./ContainerStart.ts"
import type { Container } from "./generated/containerd/containers_pb.ts"
import { type Process, Status } from "./generated/containerd/tasks_pb.ts"
import type { KnownContainers } from "./KnownContainers.ts"
import * as StackContainers from "./StackContainers.ts"
import type { TaskCalls } from "./Tasks.ts"

export interface Surroundings {
  readonly settings: ContainerdSettings
  readonly known: KnownContainers
  readonly images: Effect.Success<ReturnType<typeof ContainerdImages.make>>
  readonly tasks: TaskCalls
  readonly ends: ContainerEnds
  readonly starts: ContainerStarts
  /** Of the workers. */
  readonly home: Scope.Scope
}

/** containerd is there, and refuses, or waits for whoever looks after this container. */
const isOfTheContainer = ({ code, kind }: ContainerdFailure): boolean =>
  kind === "refused" || code === status.DEADLINE_EXCEEDED

export const takeOver = Effect.fnUntraced(function* ({ home, known, settings, starts, tasks }: Surroundings) {
  const api = yield* RuntimeApi
  const cni = yield* Cni
  const protocols = yield* WorkerProtocols

  const adopt = Effect.fnUntraced(function* (
    record: ContainerRecord.ContainerRecord,
    task: Process,
    isPaused: boolean,
    scope: Scope.Closeable
  ) {
    const { createdAtUnixSeconds, entrypoint, functionName, imageDigest, name, networkName, owner, specHash } = record
    const { handler, memoryMiB, timeoutMs } = record.settings
    const network = yield* cni.find(networkName)
    if (Option.isNone(network)) return yield* new RuntimeUnavailable({ detail: `its network ${networkName} is gone` })
    const host = network.value.ipAddress
    yield* known.claim(name)
    const id = ContainerId.make(name)
    const doorScope = yield* Scope.fork(scope)
    const about = { containerId: id, containerName: name, functionName, owner, handler, memoryMiB, timeoutMs }
    const door = yield* api.open({ ...about, extensionNames: [] }, record.door).pipe(Scope.provide(doorScope))
    // Its runtime client has to find out that its poll is lost.
    if (isPaused) yield* tasks.thaw(task)
    const container = yield* starts.takeOver(task, record.freeze, network.value, door)
    known.made(container)
    door.admit(host)
    const protocol = yield* protocols.settle({ imageDigest, entrypoint, contacted: door.contacted, host }).pipe(
      Effect.timeoutOrElse({
        duration: settings.returnLimitMs,
        orElse: () => Effect.fail(new RuntimeUnavailable({ detail: "nobody can tell how it is spoken to" }))
      })
    )
    if (protocol === "rie") yield* Scope.close(doorScope, Exit.void)
    const address = protocol === "rie" ? { host, port: emulatorPort } : door.address
    const worker: Worker = { id, name, functionName, owner, specHash, protocol, address, createdAtUnixSeconds }
    const now = yield* Clock.currentTimeMillis
    const memoryLimitBytes = memoryMiB * bytesPerMiB
    const extensions = noExtensions
    return HeldContainer.takenOver({ worker, container, extensions, memoryLimitBytes, timeoutMs, scope }, isPaused, now)
  })

  const remove = (container: Container, why: string) =>
    Effect.logInfo(`Worker ${container.id} of an earlier run is removed: ${why}`).pipe(
      Effect.andThen(starts.remove(container.id, ContainerRecord.networkOf(settings.identity, container))),
      // The collection tries again.
      Effect.ignore({ log: "Warn" }),
      Effect.as(undefined)
    )

  const judge = Effect.fnUntraced(function* (found: Container) {
    const task = yield* tasks.find(found.id)
    const isPaused = task !== undefined && tasks.isFrozen(task)
    if (task === undefined || (task.status !== Status.RUNNING && !isPaused))
      return yield* remove(found, "it does not run")
    const record = ContainerRecord.read(found, settings.identity)
    if (Result.isFailure(record)) return yield* remove(found, record.failure)
    const scope = yield* Scope.fork(home)
    return yield* adopt(record.success, task, isPaused, scope).pipe(
      Scope.provide(scope),
      Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
      Effect.catch((failure: StartFailure) => remove(found, failure.message))
    )
  })

  /** One that containerd cannot tell of keeps nobody else from coming back: the collection removes it. */
  const judgeOrLeave = (container: Container) =>
    Effect.catchIf(judge(container), isOfTheContainer, ({ message }) =>
      Effect.as(Effect.logWarning(`Worker ${container.id} of an earlier run is left: ${message}`), undefined)
    )

  const found = yield* StackContainers.list(settings.identity)
  const judged = yield* Effect.forEach(found, judgeOrLeave, { concurrency: settings.parallelStarts })
  const workers = judged.filter((held) => held !== undefined)
  if (found.length > 0) {
    yield* Effect.logInfo(`Of ${found.length} workers of an earlier run ${workers.length} are taken over`)
  }
  return workers
})
