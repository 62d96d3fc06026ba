/** How a container comes up, step by step; whatever fails or is interrupted, what was made so far goes with the scope. */
import { Effect, type Scope, Semaphore } from "effect"
import { join } from "node:path"
import type { ContainerUser } from "#domain/ContainerLimits"
import type { RuntimeUnavailable } from "#domain/Failure"
import { Cni, type NetworkUnavailable } from "#services/Cni"
import type { ContainerOrder } from "#services/ContainerEngine"
import type { Door } from "#services/RuntimeApi"
import * as CgroupFreezer from "./CgroupFreezer.ts"
import type { ContainerdFailure } from "./ContainerdFailure.ts"
import type { ContainerdImage } from "./ContainerdImages.ts"
import type { ContainerdSettings } from "./ContainerdSettings.ts"
import type { Container } from "./ContainerdContainer.ts"
import * as ContainerOutput from "./ContainerOutput.ts"
import * as ContainerRecord from "./ContainerRecord.ts"
import * as ContainerSpec from "./ContainerSpec.ts"
import * as FreezeChoice from "./FreezeChoice.ts"
import type { Process } from "./generated/containerd/tasks_pb.ts"
import * as NameFiles from "./NameFiles.ts"
import * as SwapCount from "./SwapCount.ts"
import type { TaskCalls } from "./Tasks.ts"

/** Of which image, and as whom that wants it to run. */
interface Start extends ContainerOrder {
  readonly image: ContainerdImage
  readonly imageUser: ContainerUser | undefined
}

/** What a container, its network or its output may fail with. */
export type StartFailure = ContainerdFailure | NetworkUnavailable | RuntimeUnavailable

const containerOf = (
  name: string,
  door: Door,
  network: Container["network"],
  output: Container["output"]
): Container => ({
  name,
  door,
  network,
  output,
  freezer: undefined,
  wasOutOfMemory: false,
  crash: undefined,
  exit: undefined,
  isRemoved: false,
  stays: false
})

export const make = Effect.fnUntraced(function* (settings: ContainerdSettings, tasks: TaskCalls) {
  const cni = yield* Cni
  const { cgroupParent, directory, identity, sharesShim, trustDirectory } = settings
  const nameFiles = yield* NameFiles.write(directory, cni.bridge.nameserver)
  const output = yield* ContainerOutput.make(join(directory, "output"), join(directory, "pipes"))
  const freezes = FreezeChoice.make(settings, (name, freeze) =>
    tasks.relabel(name, { [ContainerRecord.freezeLabel(identity)]: freeze })
  )
  const starting = Semaphore.makeUnsafe(settings.parallelStarts)
  const removing = Semaphore.makeUnsafe(settings.parallelRemovals)
  const countsSwap = SwapCount.isCounted()

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
    const { image, imageUser, logStream, memoryMiB, name, spec, told } = start
    return ContainerSpec.make({
      name,
      spec,
      image: image.config,
      imageUser,
      memoryMiB,
      logStream,
      networkNamespace,
      cgroupParent,
      countsSwap,
      nameFiles,
      trustDirectory,
      door: told,
      shimGroup: sharesShim ? `${identity.brand}-${identity.environment}` : undefined
    })
  }

  /** Not interrupted half-way: a container that is made after it was removed would stay for ever. */
  const create = (start: Start, container: Container) => {
    const { extensionNames, image, owner } = start
    const { functionName, specHash } = start.spec
    const { name, network } = container
    const endpoint = start.told?.endpoint
    const freeze = freezes.expected()
    const [networkName, imageDigest] = [network.name, image.digest]
    const marked = { functionName, owner, specHash, networkName, imageDigest, endpoint, freeze, extensionNames }
    const made = tasks
      .prepare({
        name,
        labels: ContainerRecord.labels(identity, marked),
        image: image.name,
        parent: image.chainId,
        spec: specOf(start, network.path),
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
  }: ContainerOrder): Effect.fn.Return<Container, StartFailure, Scope.Scope> {
    const placed: { container?: Container } = {}
    const isTheirs = (): boolean => placed.container?.stays === true || placed.container?.isRemoved === true
    const network = yield* Effect.acquireRelease(cni.take, ({ name }) =>
      Effect.suspend(() => (isTheirs() ? Effect.void : Effect.ignore(cni.release(name), { log: "Warn" })))
    )
    yield* Effect.acquireRelease(output.create(name), () =>
      Effect.suspend(() => (isTheirs() ? Effect.void : output.remove(name)))
    )
    const captured = yield* output.follow(name, door.output)
    const container = containerOf(name, door, network, captured)
    placed.container = container
    return container
  })

  /** Everything but running when this returns. */
  const prepare = Effect.fnUntraced(function* (
    order: ContainerOrder,
    image: ContainerdImage,
    imageUser: ContainerUser | undefined
  ) {
    const container = yield* place(order)
    yield* starting.withPermit(create({ ...order, image, imageUser }, container))
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
    const container = containerOf(name, door, network, captured)
    if (freeze === "cgroup") container.freezer = CgroupFreezer.find(pid, name)
    container.stays = true
    return container
  })

  return { prepare, run, takeOver, remove, removeOnce }
})

export type ContainerStarts = Effect.Success<ReturnType<typeof make>>
