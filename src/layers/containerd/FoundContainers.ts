/** Containers of a stack, whoever has made them, and what of them can be taken over. */
import { status } from "@grpc/grpc-js"
import { Effect, Option, Result } from "effect"
import type { StackIdentity } from "#domain/StackIdentity"
import { Cni } from "#services/Cni"
import type { EngineContainer, FormerContainer, FoundContainer } from "#services/ContainerEngine"
import type { Door } from "#services/RuntimeApi"
import type { Container as OurContainer } from "./ContainerdContainer.ts"
import type { ContainerdFailure } from "./ContainerdFailure.ts"
import * as ContainerRecord from "./ContainerRecord.ts"
import type { ContainerStarts } from "./ContainerStart.ts"
import type { Container } from "./generated/containerd/containers_pb.ts"
import { type Process, Status } from "./generated/containerd/tasks_pb.ts"
import * as StackContainers from "./StackContainers.ts"
import type { TaskCalls } from "./Tasks.ts"

/** containerd is there, and refuses, or waits for whoever looks after this container. */
const isOfTheContainer = ({ code, kind }: ContainerdFailure): boolean =>
  kind === "refused" || code === status.DEADLINE_EXCEEDED

/** All that there are. `handle`: what can be done with one that is ours again. */
export const list = Effect.fnUntraced(function* (
  identity: StackIdentity,
  tasks: TaskCalls,
  starts: ContainerStarts,
  handle: (container: OurContainer) => EngineContainer
) {
  const cni = yield* Cni

  /** One that runs, or stands still. */
  const formerOf = Effect.fnUntraced(function* (record: ContainerRecord.ContainerRecord, task: Process) {
    const { freeze, networkName } = record
    const network = yield* Effect.result(cni.find(networkName))
    if (Result.isFailure(network)) return Result.fail(network.failure.message)
    if (Option.isNone(network.success)) return Result.fail(`its network ${networkName} is gone`)
    const found = network.success.value
    const isPaused = tasks.isFrozen(task)
    const takeOver = Effect.fnUntraced(function* (door: Door) {
      // Its runtime client has to find out that its poll is lost.
      if (isPaused) yield* tasks.thaw(task)
      return handle(yield* starts.takeOver(task, freeze, found, door))
    })
    return Result.succeed<FormerContainer>({ ...record, address: found.ipAddress, isPaused, takeOver })
  })

  const read = Effect.fnUntraced(
    function* (container: Container) {
      const task = yield* tasks.find(container.id)
      const isThere = task !== undefined && (task.status === Status.RUNNING || tasks.isFrozen(task))
      if (!isThere) return Result.fail("it does not run")
      const record = ContainerRecord.read(container, identity)
      return Result.isFailure(record) ? Result.fail(record.failure) : yield* formerOf(record.success, task)
    },
    // One that containerd cannot tell of keeps nobody else from coming back.
    (reading, { id }) =>
      Effect.catchIf(reading, isOfTheContainer, ({ message }) =>
        Effect.as(Effect.logWarning(`Worker ${id} of an earlier run is left: ${message}`), undefined)
      )
  )

  const found = yield* StackContainers.list(identity)
  return found.map((container): FoundContainer => ({
    name: container.id,
    read: read(container),
    remove: starts.remove(container.id, ContainerRecord.networkOf(identity, container))
  }))
})
