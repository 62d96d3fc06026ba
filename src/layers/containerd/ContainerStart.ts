/** How a container comes up, step by step; whatever fails or is interrupted, what was made so far goes with the scope. */
import { Effect, Redacted, type Scope, Semaphore } from "effect"
import { randomBytes } from "node:crypto"
import { existsSync } from "node:fs"
import { join } from "node:path"
import type { ContainerUser } from "#domain/ContainerLimits"
import type { RuntimeUnavailable } from "#domain/Failure"
import * as LogStreamName from "#domain/LogStreamName"
import type { OwnerId, WorkerSpec } from "#domain/Worker"
import type { WorkerSettings } from "#domain/WorkerSettings"
import { Cni, type NetworkUnavailable } from "#services/Cni"
import type { Door } from "#services/RuntimeApi"
import { WorkerProtocols } from "#services/WorkerProtocols"
import * as CgroupFreezer from "./CgroupFreezer.ts"
import type { ContainerdFailure } from "./ContainerdFailure.ts"
import type { ContainerdImage } from "./ContainerdImages.ts"
import type { ContainerdSettings } from "./ContainerdSettings.ts"
import type { Container } from "./ContainerdWorker.ts"
import * as ContainerOutput from "./ContainerOutput.ts"
import * as ContainerRecord from "./ContainerRecord.ts"
import * as ContainerSpec from "./ContainerSpec.ts"
import * as FreezeChoice from "./FreezeChoice.ts"
import type { Process } from "./generated/containerd/tasks_pb.ts"
import * as NameFiles from "./NameFiles.ts"
import type { TaskCalls } from "./Tasks.ts"

export interface Start {
  readonly name: string
  readonly spec: WorkerSpec
  readonly owner: OwnerId
  readonly image: ContainerdImage
  readonly imageUser: ContainerUser | undefined
  readonly settings: WorkerSettings
  readonly door: Door
  readonly extensionNames: ReadonlyArray<string>
}

/** What a container, its network or its output may fail with. */
export type StartFailure = ContainerdFailure | NetworkUnavailable | RuntimeUnavailable

/** Of the first version of control groups, where the kernel counts swap; the second counts always. */
const swapFile = "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"
const secondVersion = "/sys/fs/cgroup/cgroup.controllers"

export const make = Effect.fnUntraced(function* (settings: ContainerdSettings, tasks: TaskCalls) {
  const cni = yield* Cni
  const { namesDoor } = yield* WorkerProtocols
  const { cgroupParent, directory, identity, sharesShim, trustDirectory } = settings
  const nameFiles = yield* NameFiles.write(directory, cni.bridge.nameserver)
  const output = yield* ContainerOutput.make(join(directory, "output"), join(directory, "pipes"))
  const freezes = FreezeChoice.make(settings, (name, freeze) =>
    tasks.relabel(name, { [ContainerRecord.freezeLabel(identity)]: freeze })
  )
  /** For our own runtime clients. */
  const patience = { ESB_LISTENER_PATIENCE_SECONDS: String(settings.listenerPatienceMs / 1_000) }
  const starting = Semaphore.makeUnsafe(settings.parallelStarts)
  const removing = Semaphore.makeUnsafe(settings.parallelRemovals)
  const countsSwap = existsSync(swapFile) || existsSync(secondVersion)

  /** Nothing is left when this returns: of the container first, because it has the rest in use. */
  const remove = (name: string, networkName: string | undefined) =>
    tasks
      .remove(name)
      .pipe(
        Effect.andThen(networkName === undefined ? Effect.void : cni.release(networkName)),
        Effect.andThen(output.remove(name)),
        removing.withPermit
      )

  const removeOnce = (container: Container): Effect.Effect<void, ContainerdFailure | NetworkUnavailable> =>
    Effect.suspend(() =>
      container.isRemoved
        ? Effect.void
        : Effect.andThen(
            remove(container.name, container.network.name),
            Effect.sync(() => {
              container.isRemoved = true
            })
          )
    )

  const specOf = (start: Start, networkNamespace: string): ContainerSpec.ContainerSpec => {
    const { door, image, imageUser, name, settings: worker, spec } = start
    return ContainerSpec.make({
      name,
      spec: { ...spec, environment: { ...spec.environment, ...patience } },
      image: image.config,
      imageUser,
      memoryMiB: worker.memoryMiB,
      logStream: LogStreamName.make(new Date(), randomBytes(LogStreamName.randomBytes)),
      networkNamespace,
      cgroupParent,
      countsSwap,
      nameFiles,
      trustDirectory,
      door: namesDoor ? { endpoint: door.endpoint, token: Redacted.value(door.token) } : undefined,
      shimGroup: sharesShim ? `${identity.brand}-${identity.environment}` : undefined
    })
  }

  /** Not interrupted half-way: a container that is made after it was removed would stay for ever. */
  const create = ({ door, image, owner, spec, ...start }: Start, container: Container) => {
    const { functionName, specHash } = spec
    const { name, network } = container
    const endpoint = namesDoor ? door.endpoint : undefined
    const freeze = freezes.expected()
    const { extensionNames } = start
    const [networkName, imageDigest] = [network.name, image.digest]
    const marked = { functionName, owner, specHash, networkName, imageDigest, endpoint, freeze, extensionNames }
    const made = tasks
      .prepare({
        name,
        labels: ContainerRecord.labels(identity, marked),
        image: image.name,
        parent: image.chainId,
        spec: specOf({ door, image, owner, spec, ...start }, network.path),
        output: container.output.path
      })
      .pipe(
        Effect.flatMap((pid) => freezes.settle(name, pid, freeze)),
        Effect.map((freezer) => void (container.freezer = freezer))
      )
    return Effect.acquireRelease(
      made.pipe(Effect.tapError(() => Effect.ignore(tasks.remove(name), { log: "Warn" }))),
      // What cannot be removed now is collected later.
      () => (container.stays ? Effect.void : Effect.ignore(removeOnce(container), { log: "Warn" }))
    )
  }

  /** Goes with the scope unless the container, which then has it, was removed with it or stays. */
  const place = Effect.fnUntraced(function* ({
    door,
    name
  }: Start): Effect.fn.Return<Container, StartFailure, Scope.Scope> {
    const placed: { container?: Container } = {}
    const isTheirs = (): boolean => placed.container?.stays === true || placed.container?.isRemoved === true
    const network = yield* Effect.acquireRelease(cni.take, ({ name }) =>
      Effect.suspend(() => (isTheirs() ? Effect.void : Effect.ignore(cni.release(name), { log: "Warn" })))
    )
    yield* Effect.acquireRelease(output.create(name), () =>
      Effect.suspend(() => (isTheirs() ? Effect.void : output.remove(name)))
    )
    const captured = yield* output.follow(name, door.output)
    const container: Container = {
      name,
      door,
      network,
      output: captured,
      freezer: undefined,
      wasOutOfMemory: false,
      crash: undefined,
      exit: undefined,
      isRemoved: false,
      stays: false
    }
    placed.container = container
    return container
  })

  /** Everything but running when this returns. */
  const prepare = Effect.fnUntraced(function* (start: Start) {
    const container = yield* place(start)
    yield* starting.withPermit(create(start, container))
    container.output.handedOver()
    return container
  })

  /** Runs when this returns; only now its door is open, and its time counts. */
  const run = ({ door, name, network }: Container): Effect.Effect<void, ContainerdFailure> =>
    Effect.suspend(() => {
      door.admit(network.ipAddress)
      return tasks.start(name)
    })

  /** Of an earlier run, by its task: what it wrote meanwhile is in its pipe. */
  const takeOver = Effect.fnUntraced(function* (
    { id: name, pid }: Process,
    freeze: FreezeChoice.Freeze,
    network: Container["network"],
    door: Door
  ) {
    const captured = yield* output.follow(name, door.output)
    captured.handedOver()
    return {
      name,
      door,
      network,
      output: captured,
      freezer: freeze === "cgroup" ? CgroupFreezer.find(pid, name) : undefined,
      wasOutOfMemory: false,
      crash: undefined,
      exit: undefined,
      isRemoved: false,
      stays: true
    } satisfies Container
  })

  return { prepare, run, takeOver, remove, removeOnce }
})

export type ContainerStarts = Effect.Success<ReturnType<typeof make>>
