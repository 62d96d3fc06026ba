/** The workers an Agent has heard of, so that a call of one of them need not ask the engine whose it is. */
import { Context, Effect, Layer } from "effect"
import { ContainerNotFound, type NotOwner, type RuntimeUnavailable } from "#domain/Failure"
import type { ContainerId, OwnerId, Worker } from "#domain/Worker"
import { ContainerRuntime } from "#services/ContainerRuntime"

/** More than one host can run. Beyond it the one remembered first is forgotten, and asked for again when it is named. */
const mostRemembered = 10_000

export class KnownWorkers extends Context.Service<
  KnownWorkers,
  {
    /**
     * The worker of this id, when it is this owner's. One that is remembered may have ended since: only the engine can tell.
     * One that is not is looked for in the engine's list. `RuntimeUnavailable`: the engine gave no list.
     */
    readonly find: (
      id: ContainerId,
      owner: OwnerId
    ) => Effect.Effect<Worker, ContainerNotFound | NotOwner | RuntimeUnavailable>
    /** It was started just now. */
    readonly remember: (worker: Worker) => void
    /** It is gone. */
    readonly forget: (id: ContainerId) => void
  }
>()("esb/layers/grpc/KnownWorkers") {}

export const layer: Layer.Layer<KnownWorkers, never, ContainerRuntime> = Layer.effect(
  KnownWorkers,
  Effect.gen(function* () {
    const runtime = yield* ContainerRuntime
    const remembered = new Map<ContainerId, Worker>()

    const remember = (worker: Worker): void => {
      remembered.set(worker.id, worker)
      const [first] = remembered.keys()
      if (remembered.size > mostRemembered && first !== undefined) remembered.delete(first)
    }

    const recall = (id: ContainerId, owner: OwnerId): Worker | undefined => {
      const worker = remembered.get(id)
      return worker?.owner === owner ? worker : undefined
    }

    /** The list takes the place of all that was remembered of this owner. */
    const refresh = Effect.fnUntraced(function* (owner: OwnerId) {
      const listed = yield* runtime.list(owner)
      for (const worker of remembered.values()) if (worker.owner === owner) remembered.delete(worker.id)
      for (const worker of listed) remember(worker)
    })

    const find = Effect.fnUntraced(function* (id: ContainerId, owner: OwnerId) {
      const known = recall(id, owner)
      if (known !== undefined) return known
      yield* refresh(owner)
      const listed = recall(id, owner)
      if (listed !== undefined) return listed
      // Nobody's, or somebody else's: the engine refuses to touch it in either case, and says which.
      yield* runtime.touch(id, owner)
      return yield* new ContainerNotFound({ containerId: id })
    })

    return { find, remember, forget: (id) => void remembered.delete(id) }
  })
)
