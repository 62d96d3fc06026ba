/** Containers of a stack, whoever has made them, and what of them can be taken over. */
import { Effect, Result } from "effect"
import type { StackIdentity } from "#domain/StackIdentity"
import type { EngineContainer, FoundContainer } from "#services/ContainerEngine"
import type { Door } from "#services/RuntimeApi"
import * as ContainerRecord from "./ContainerRecord.ts"
import type { ContainerStarts } from "./ContainerStart.ts"
import { DockerApi, hasStatus } from "./DockerApi.ts"
import type { Container } from "./DockerContainer.ts"
import * as StackContainers from "./StackContainers.ts"
import { WorkersNetwork } from "./WorkersNetwork.ts"

/** All that there are. `handle`: what can be done with one that is ours again. */
export const list = Effect.fnUntraced(function* (
  identity: StackIdentity,
  starts: ContainerStarts,
  handle: (container: Container) => EngineContainer
) {
  const { call, engine } = yield* DockerApi
  const network = yield* WorkersNetwork

  const read = Effect.fnUntraced(function* (name: string) {
    const seen = yield* call((abortSignal) => engine.getContainer(name).inspect({ abortSignal })).pipe(
      Effect.catchIf(hasStatus(404), () => Effect.undefined)
    )
    if (seen === undefined) return undefined
    return Result.map(ContainerRecord.read(seen, identity, network.name), (record) => ({
      ...record,
      takeOver: (door: Door) => Effect.map(starts.takeOver(record, door), handle)
    }))
  })

  const names = yield* StackContainers.names(identity)
  return names.map((name): FoundContainer => ({ name, read: read(name), remove: starts.remove(name) }))
})
