/**
 * Containers of containerd, each with a snapshot of the same name and, while it lives, a task. A container is known before it has
 * a snapshot: nobody collects that one then, and what a crash leaves in between is found by its labels.
 */
import { create } from "@bufbuild/protobuf"
import { AnySchema, type Any } from "@bufbuild/protobuf/wkt"
import { status } from "@grpc/grpc-js"
import { Effect, Result } from "effect"
import { constants } from "node:os"
import * as CgroupFreezer from "./CgroupFreezer.ts"
import { noUsage } from "#domain/HeldContainer"
import { ContainerdApi } from "./ContainerdApi.ts"
import { ContainerdFailure, hasCode } from "./ContainerdFailure.ts"
import type { ContainerdSettings } from "./ContainerdSettings.ts"
import type { ContainerSpec } from "./ContainerSpec.ts"
import { Containers } from "./generated/containerd/containers_pb.ts"
import { Snapshots } from "./generated/containerd/snapshots_pb.ts"
import { type Process, Status, Tasks } from "./generated/containerd/tasks_pb.ts"
import * as TaskMetrics from "./TaskMetrics.ts"
import * as WorkerRuntime from "./WorkerRuntime.ts"

export interface NewContainer {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** Reference of its image. */
  readonly image: string
  /** Name of the snapshot that has all layers of its image. */
  readonly parent: string
  readonly spec: ContainerSpec
  /** Path of the pipe that takes its output. */
  readonly output: string
}

const specKind = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
const resourcesKind = "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources"

const json = (typeUrl: string, value: unknown): Any =>
  create(AnySchema, { typeUrl, value: Buffer.from(JSON.stringify(value)) })

const isMissing = hasCode(status.NOT_FOUND)

/** Gone is gone. */
const unlessMissing = <A>(effect: Effect.Effect<A, ContainerdFailure>): Effect.Effect<void, ContainerdFailure> =>
  Effect.catchIf(Effect.asVoid(effect), isMissing, () => Effect.void)

const once = { repeatable: false }

export const make = Effect.fnUntraced(function* (settings: ContainerdSettings) {
  const { call } = yield* ContainerdApi
  const { cgroupParent, snapshotter } = settings
  const runtime = WorkerRuntime.wire(settings)

  const newContainer = ({ image, labels, name, spec }: NewContainer) => ({
    id: name,
    labels: { ...labels },
    image,
    runtime,
    spec: json(specKind, spec),
    snapshotter,
    snapshotKey: name
  })

  /** Everything but running when this returns: the number of its first process. What a failure leaves, {@link remove} removes. */
  const prepare = Effect.fnUntraced(function* (container: NewContainer) {
    const { name, output, parent } = container
    yield* call(Containers.method.create, { container: newContainer(container) }, once)
    const { mounts: rootfs } = yield* call(Snapshots.method.prepare, { snapshotter, key: name, parent }, once)
    const io = { stdout: output, stderr: output }
    const { pid } = yield* Effect.mapError(
      call(Tasks.method.create, { containerId: name, rootfs, ...io }, once),
      (failure) => WorkerRuntime.explain(settings, failure)
    )
    return pid
  })

  /** `undefined`: there is no task of that name. */
  const find = (name: string): Effect.Effect<Process | undefined, ContainerdFailure> =>
    call(Tasks.method.get, { containerId: name }).pipe(
      Effect.map(({ process }) => process),
      Effect.catchIf(isMissing, () => Effect.undefined)
    )

  /** Its first process, and so all of it. */
  const ended = (name: string, limitMs: number) => call(Tasks.method.wait, { containerId: name }, { limitMs })

  const resume = (name: string) => Effect.asVoid(call(Tasks.method.resume, { containerId: name }))

  /** By whichever way, and whoever has done it: containerd does not know of what the kernel was told by others. */
  const isFrozen = ({ id, pid, status }: Process): boolean => {
    const place = CgroupFreezer.find(pid, id)
    return (
      status === Status.PAUSED || status === Status.PAUSING || (place !== undefined && CgroupFreezer.isFrozen(place))
    )
  }

  /** It runs on after this, however it was frozen. */
  const thaw = Effect.fnUntraced(function* ({ id, pid, status }: Process) {
    // One that was thawed past containerd is refused; whether it runs is for the kernel to say.
    if (status === Status.PAUSED || status === Status.PAUSING) {
      yield* Effect.catchIf(
        resume(id),
        ({ kind }) => kind === "refused",
        (failure) => Effect.logDebug(failure.message)
      )
    }
    const place = CgroupFreezer.find(pid, id)
    if (place !== undefined && CgroupFreezer.isFrozen(place)) yield* CgroupFreezer.thaw(place)
  })

  /** All of it has ended when this returns. Frozen, it would not hear that it is killed. */
  const kill = Effect.fnUntraced(function* (task: Process) {
    // It may end meanwhile; if it does not, the end of its limit tells.
    yield* Effect.ignore(thaw(task), { log: "Debug" })
    const asked = { containerId: task.id, signal: constants.signals.SIGKILL, all: true }
    yield* unlessMissing(call(Tasks.method.kill, asked))
    yield* unlessMissing(ended(task.id, settings.endLimitMs))
  })

  /**
   * The first process by its number, where that means the same here. The others end as well when they are deleted, but containerd
   * waits for the end of their output first, for up to 10 seconds.
   */
  const killFirst = ({ id, pid }: Process): Effect.Effect<void> =>
    Effect.sync(() => {
      if (CgroupFreezer.find(pid, id) === undefined) return
      try {
        process.kill(pid, "SIGKILL")
      } catch {
        // It has ended meanwhile.
      }
    })

  const end = Effect.fnUntraced(function* (name: string) {
    const task = yield* find(name)
    if (task === undefined) return
    if (task.status !== Status.STOPPED) {
      const isNew = task.status === Status.CREATED
      yield* kill(task).pipe(
        // gVisor kills nothing that has not begun; there it is deleting that ends it.
        Effect.catchIf(
          ({ kind }) => isNew && kind === "refused",
          ({ message }) => Effect.andThen(Effect.logDebug(message), killFirst(task))
        )
      )
    }
    // One that was killed while it stood still has ended, and its group stands still yet.
    yield* CgroupFreezer.thawEmpty(`${cgroupParent}/${name}`)
    yield* unlessMissing(call(Tasks.method.delete, { containerId: name }))
  })

  /** Nothing of it is left when this returns. */
  const remove = (name: string): Effect.Effect<void, ContainerdFailure> =>
    end(name).pipe(
      Effect.andThen(unlessMissing(call(Containers.method.delete, { id: name }))),
      Effect.andThen(unlessMissing(call(Snapshots.method.remove, { snapshotter, key: name })))
    )

  const relabel = (name: string, labels: Readonly<Record<string, string>>) =>
    Effect.asVoid(
      call(Containers.method.update, {
        container: { id: name, labels: { ...labels } },
        updateMask: { paths: Object.keys(labels).map((label) => `labels.${label}`) }
      })
    )

  const usage = Effect.fnUntraced(function* (name: string) {
    const { metrics } = yield* call(Tasks.method.metrics, { filters: [`id==${JSON.stringify(name)}`] })
    const data = metrics.find(({ id }) => id === name)?.data
    if (data === undefined) return noUsage
    const read = TaskMetrics.read(data)
    if (Result.isSuccess(read)) return read.success
    return yield* new ContainerdFailure({ kind: "refused", code: status.UNIMPLEMENTED, message: read.failure })
  })

  /** Microseconds of every period. */
  const limitCpu = (name: string, quota: number, period: number) =>
    Effect.asVoid(
      call(Tasks.method.update, { containerId: name, resources: json(resourcesKind, { cpu: { quota, period } }) })
    )

  return {
    prepare,
    start: (name: string) => Effect.asVoid(call(Tasks.method.start, { containerId: name }, once)),
    pause: (name: string) => Effect.asVoid(call(Tasks.method.pause, { containerId: name })),
    resume,
    isFrozen,
    thaw,
    ended,
    kill,
    find,
    remove,
    relabel,
    usage,
    limitCpu
  }
})

export type TaskCalls = Effect.Success<ReturnType<typeof make>>
